import Daemon
import Files
import SystemPackage
import TestSupport
import Testing

/// What a protocol on the state folder comes to, wherever it was interrupted.
extension StateFolder {
    /// One job, of the image of that name, with the settings beside it: seed 7.
    func expectOneJob(of name: String) throws {
        let jobs = try names(jobs)
        #expect(jobs.count == 1)
        let job = self.jobs.appending(try #require(jobs.first))
        #expect(try text(job.appending("input.png")) == "image")
        #expect(try text(job.appending("job.json")).contains("\"seed\" : 7"))
        #expect(try text(job.appending("job.json")).contains("\"original_name\" : \"\(name)\""))
    }

    /// One rejection, for settings with the name `scael`, and no job.
    func expectRejectedSettings() throws {
        #expect(try names(jobs) == [])
        #expect(try names(rejected) == ["cat"])
        let rejection = rejected.appending("cat")
        #expect(try names(rejection) == ["error.json", "job.log", "original.png", "settings.yaml"])
        #expect(try text(rejection.appending("original.png")) == "image")
        #expect(try text(rejection.appending("error.json")).contains("scael"))
    }

    /// One result, and no job.
    func expectOneResult() throws {
        #expect(try names(jobs) == [])
        #expect(try names(outbox) == ["cat"])
        let result = outbox.appending("cat")
        #expect(try names(result) == ["input.png", "job.log", "report.json", "restored.png"])
        #expect(try text(result.appending("restored.png")) == "restored")
        #expect(try text(result.appending("input.png")) == "image")
    }

    /// One rejection of a job that had been worked on, and no job.
    func expectOneRejection() throws {
        #expect(try names(jobs) == [])
        #expect(try names(rejected) == ["cat"])
        let rejection = rejected.appending("cat")
        #expect(try names(rejection) == ["error.json", "job.json", "job.log", "original.png"])
        #expect(try text(rejection.appending("original.png")) == "image")
    }
}
