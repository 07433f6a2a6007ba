import Failures
import Foundation
import Jobs
import Restoration
import TestSupport
import Testing

@Suite struct `The memory of a restoration` {
    private func settings(scale: Int) -> RestorationSettings {
        var settings = toySettings()
        settings.scale = scale
        return settings
    }

    @Test func `of a photograph is known without any of it`() throws {
        let bytes = try RestorationFactory.memoryBytes(settings(scale: 4), channels: 3, height: 3000, width: 4000)
        #expect(bytes > 300 << 30 && bytes < 2000 << 30, "\(bytes >> 20) MiB")
    }

    @Test(.tags(.slow)) func `grows with the image, and with the scale`() throws {
        var last = 0
        for (scale, side) in [(2, 16), (2, 32), (3, 32), (4, 64), (8, 512)] {
            let bytes = try RestorationFactory.memoryBytes(
                settings(scale: scale), channels: 3, height: side, width: side)
            #expect(bytes > last, "scale \(scale), side \(side)")
            last = bytes
        }
    }

    private func refusal(_ memory: @escaping MemoryEstimator) throws -> FailureReport {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: settings(scale: 4))
            let worker = Worker(
                job, memory: memory,
                makeProcess: { _, _ in
                    Issue.record("the work was begun")
                    throw CancellationError()
                })
            return try #require(throws: FailureReport.self) { try worker.run() }
        }
    }

    @Test func `that the machine does not have is refused with what would fit`() throws {
        let scales = try refusal { settings, _, _, _ in settings.scale > 3 ? 1 << 60 : 1 }
        #expect(scales.code == "needs_too_much_memory" && scales.exitStatus == .badInput)
        #expect(scales.message.contains("picture.png: 18 x 14 pixels at scale 4 need about 1073741824 GiB"))
        #expect(scales.remedy?.contains("take scale 3, the largest that fits") == true)
        #expect(scales.remedy?.contains("crop") == false)

        let crops = try refusal { _, _, height, width in height * width > 63 ? 1 << 60 : 1 }
        #expect(crops.remedy?.contains("crop the image to 9 x 7 pixels, the most that fit at scale 4") == true)
        #expect(crops.remedy?.contains("take scale") == false)

        let nothing = try refusal { _, _, _, _ in 1 << 60 }
        #expect(nothing.remedy == "take a machine with more memory")
    }

    @Test func `that there is is told before the work begins`() throws {
        try withTemporaryDirectory { directory in
            var lines: [String] = []
            let job = try makeJob(in: directory)
            let worker = Worker(
                job, memory: { _, _, _, _ in 50 << 20 }, makeProcess: { try ToyProcess($0, resuming: $1) },
                observe: { if case .outline(let text) = $0 { lines.append(text) } })
            #expect(try worker.run() == .finished)
            #expect(lines == ["picture.png: 18 x 14, scale 2, about 50 MiB of memory"])
            #expect(try text(job.logPath).contains("about 50 MiB of memory"))
        }
    }

    @Test func `is bounded by control groups of both versions and the machine`() throws {
        try withTemporaryDirectory { root in
            func write(_ path: String, _ text: String) throws {
                let url = URL(fileURLWithPath: root + path)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            #expect(MemoryLimit.available(root: root) == nil)
            try write("/proc/meminfo", "MemTotal:       4000 kB\nMemFree: 10 kB\nMemAvailable:    1000 kB\n")
            #expect(MemoryLimit.available(root: root) == 1000 << 10)
            #expect(MemoryLimit.least(root: root)?.bytes == 4000 << 10)
            try write("/proc/self/cgroup", "0::/user/dkpd\n")
            try write("/sys/fs/cgroup/user/dkpd/memory.max", "max\n")
            #expect(MemoryLimit.least(root: root)?.bytes == 4000 << 10)
            try write("/sys/fs/cgroup/user/memory.max", "2000000\n")
            #expect(MemoryLimit.least(root: root)?.bytes == 2_000_000)
            try write("/proc/self/cgroup", "5:cpu,memory:/job\n2:devices:/x\n")
            try write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3000000\n")
            #expect(MemoryLimit.least(root: root)?.bytes == 3_000_000)
        }
    }
}
