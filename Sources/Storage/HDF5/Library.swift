import CHDF5
import Foundation

/// The one gate to the HDF5 library, which is not safe to call from two threads at once.
///
/// Every public method of the module enters before its first call and leaves after its last. The lock is recursive
/// because handles close in `deinit`, which may run while the same thread is inside.
enum Library {
    private static let lock = NSRecursiveLock()
    private static let prepared: Bool = dkp_h5_prepare() >= 0

    /// Takes the lock; pair with ``leave()`` in a `defer`.
    static func enter() {
        lock.lock()
        // Per call, not once: a thread-safe build of HDF5 keeps this setting for each thread.
        _ = prepared
        _ = dkp_h5_silence()
    }

    static func leave() { lock.unlock() }

    /// The library's error stack as one line (innermost cause first), which empties it. Call while inside.
    static func takeErrors() -> String {
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer -> String in
            guard let base = buffer.baseAddress else { return "" }
            base.initialize(repeating: 0, count: buffer.count)
            dkp_h5_take_errors(base, buffer.count)
            return String(cString: base)
        }
        return text.isEmpty ? "no detail from the HDF5 library" : text
    }
}

/// The sole owner of one HDF5 identifier, closed when the owner goes.
struct Handle: ~Copyable, Sendable {
    enum Kind { case file, group, object, dataset, dataspace, datatype, attribute, properties }

    let id: hid_t
    let kind: Kind

    /// Takes over `id`; a negative one, which is how the library reports failure, becomes an error with its reason.
    init(_ id: hid_t, _ kind: Kind, _ code: HDF5Error.Code, _ what: @autoclosure () -> String) throws(HDF5Error) {
        guard id >= 0 else { throw HDF5Error(code, "\(what()): \(Library.takeErrors())") }
        self.id = id
        self.kind = kind
    }

    deinit {
        Library.enter()
        defer { Library.leave() }
        // A failed close of something only read loses nothing; a file that was written is flushed before, and checked.
        switch kind {
        case .file: H5Fclose(id)
        case .group: H5Gclose(id)
        case .object: H5Oclose(id)
        case .dataset: H5Dclose(id)
        case .dataspace: H5Sclose(id)
        case .datatype: H5Tclose(id)
        case .attribute: H5Aclose(id)
        case .properties: H5Pclose(id)
        }
    }
}

/// Turns a negative status of the library into an error with its reason.
func check(_ status: some SignedInteger, _ code: HDF5Error.Code, _ what: @autoclosure () -> String) throws(HDF5Error) {
    guard status >= 0 else { throw HDF5Error(code, "\(what()): \(Library.takeErrors())") }
}
