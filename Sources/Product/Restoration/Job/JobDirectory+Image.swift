import Files
import Imaging
import Jobs

extension JobDirectory {
    /// The image to restore. Errors call it by the name that its user knows, not by that of the job's copy.
    /// - Throws: ``RestorationError`` where the copy is gone, cannot be read or is another file than the job was created
    ///   with; `ImageError` for what is no image, or none within the limits.
    func image(named name: String, limits: ImageLimits) throws -> Image {
        let copy = "the job's copy of it, \(record.inputName),"
        do {
            // Hashed again by every run, as much may have happened to the copy since the job was created, and the checkpoint
            // that the run goes on from, like the report that it writes, is of the file with that digest.
            guard try Self.digest(of: inputPath).hexadecimal == record.inputSHA256 else {
                throw RestorationError(
                    .badInput, "\(name): \(copy) is not the file that the job was created with",
                    remedy: "start a new job for it")
            }
            return try Image(file: inputPath, limits: limits)
        } catch let error as FileError {
            if error.code == .notFound {
                throw RestorationError(
                    .noInput, "\(name): \(copy) is not there", remedy: "start a new job for it")
            }
            // What is no file will be none the next time either.
            let code: RestorationError.Code = error.code == .notARegularFile ? .badInput : .inputOutput
            throw RestorationError(code, "\(name): \(copy) cannot be read: \(error)")
        } catch let error as ImageError {
            if error.code == .cannotRead || error.code == .notReadable {
                throw RestorationError(.inputOutput, "\(name): \(copy) cannot be read: \(error.reason)")
            }
            throw error.named(name)
        }
    }
}
