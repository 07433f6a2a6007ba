import Files
import Foundation
package import Jobs
package import SystemPackage
import YAML

extension StateFolder {
    /// The settings file that is looked into where nothing else tells the folder.
    package static let settingsFile: FilePath = "/etc/dkpd/dkpd.yaml"

    /// The folder that is meant: the one given, else that of the environment variable `DKP_STATE_DIR`, else `state_dir`
    /// of the settings file, if that can be read, else the daemon's default.
    /// - Throws: ``RestorationError`` with code `noInput` if there is no such folder or it is closed to this user.
    package static func find(
        _ given: String?, environment: [String: String] = ProcessInfo.processInfo.environment,
        settingsFile: FilePath = settingsFile
    ) throws(RestorationError) -> StateFolder {
        let path =
            given ?? environment["DKP_STATE_DIR"] ?? stateDirectory(in: settingsFile)
            ?? DaemonSettings().stateDirectory.string
        let folder = StateFolder(FilePath(TextPath.absolute(path)))
        guard LocalFileSystem().isDirectory(folder.jobs.string), LocalFileSystem().isDirectory(folder.inbox.string)
        else {
            if LocalFileSystem().isDirectory(folder.root.string), LocalFileSystem().isClosed(folder.root) {
                throw RestorationError(
                    .noInput,
                    "\(folder.root.readable): the user \(UserAccount.current.name) may not look into this folder",
                    remedy: "become a member of its group, and log in again")
            }
            throw RestorationError(
                .noInput, "\(folder.root.readable): no state folder of dkpd",
                remedy: "start the daemon once, or give --state-dir or DKP_STATE_DIR")
        }
        return folder
    }

    private static func stateDirectory(in file: FilePath) -> String? {
        guard let bytes = try? LocalFileSystem().read(file, limit: YAMLValue.sizeLimit),
            let entry = (try? YAMLValue(bytes))?.mapping?.first(where: { $0.key == "state_dir" }), !entry.value.isNull
        else { return nil }
        return entry.value.scalar?.text
    }
}
