import CHDF5
import Foundation

/// An open HDF5 file: datasets (arrays) and attributes (small facts) in a tree of groups.
///
/// Paths name objects from the root, with or without the first slash: "state_dict/out.2.weight". Elements come and go in
/// row-major order. All calls, from whatever thread, take turns at one process-wide lock, because the HDF5 library
/// allows no two at once. The file is closed with its owner.
///
/// Reading trusts nothing in the file: the element type, the extent and the byte limit are checked before memory is
/// taken, links and storage that lead to other files are refused, and no filter plug-ins are loaded.
public struct HDF5File: ~Copyable, Sendable {
    /// The path or description given when opening, for messages.
    public let name: String
    /// The largest dataset, in bytes in memory, that will be read.
    public let byteLimit: Int
    /// The file's size when opened; what a dataset can expand to is bounded by it.
    let storedBytes: Int
    let handle: Handle

    /// The byte limit used unless told otherwise: 8 GiB.
    public static let defaultByteLimit = 8 << 30

    /// Opens a file for reading.
    ///
    /// - Parameter byteLimit: no dataset of more bytes (in memory) will be read.
    /// - Throws: ``HDF5Error/Code/cannotOpen``.
    public init(reading path: String, byteLimit: Int = defaultByteLimit) throws(HDF5Error) {
        Library.enter()
        defer { Library.leave() }
        var status = stat()
        guard !path.utf8.contains(0), stat(path, &status) == 0 else {
            throw HDF5Error(.cannotOpen, "\(path): no such file, or it cannot be read")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw HDF5Error(.cannotOpen, "\(path): not a regular file") }
        let access = try Self.access(path)
        let handle = try Handle(
            H5Fopen(path, dkp_h5_read_only(), access.id), .file, .cannotOpen, "\(path): not a readable HDF5 file")
        self.init(handle: handle, name: path, byteLimit: byteLimit, storedBytes: Int(status.st_size))
    }

    /// Opens a whole file that is already in memory for reading; `name` is for messages only.
    ///
    /// - Throws: ``HDF5Error/Code/cannotOpen``.
    public init(image: [UInt8], name: String, byteLimit: Int = defaultByteLimit) throws(HDF5Error) {
        Library.enter()
        defer { Library.leave() }
        guard !image.isEmpty else { throw HDF5Error(.cannotOpen, "\(name): empty") }
        let access = try Self.memoryAccess(name)
        // The library copies the image at once and only reads from the pointer, whatever its type says.
        let status = image.withUnsafeBytes { bytes in
            H5Pset_file_image(access.id, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        }
        try check(status, .cannotOpen, "\(name): cannot take the file image")
        // The name only has to be unlike that of any other image open at the same time.
        let handle = try Handle(
            H5Fopen("image-\(UInt64.random(in: .min ... .max))", dkp_h5_read_only(), access.id), .file, .cannotOpen,
            "\(name): not a readable HDF5 file")
        self.init(handle: handle, name: name, byteLimit: byteLimit, storedBytes: image.count)
    }

    /// Takes over an open file.
    init(handle: consuming Handle, name: String, byteLimit: Int = defaultByteLimit, storedBytes: Int = .max) {
        self.name = name
        self.byteLimit = byteLimit
        self.storedBytes = storedBytes
        self.handle = handle
    }

    /// Access properties for a file on disk. Call while inside the library.
    ///
    /// The library does not lock it: many cluster file systems have no locks, and where there are some, a child process
    /// that is about to begin holds those of its parent. Whoever writes here makes a new file and renames it.
    static func access(_ name: String) throws(HDF5Error) -> Handle {
        let access = try Handle(
            H5Pcreate(dkp_h5_class_file_access()), .properties, .cannotOpen, "\(name): no access properties")
        try check(H5Pset_file_locking(access.id, false, true), .cannotOpen, "\(name): no access without a lock")
        return access
    }

    /// Access properties for a file in memory. Call while inside the library.
    static func memoryAccess(_ name: String) throws(HDF5Error) -> Handle {
        let access = try Handle(
            H5Pcreate(dkp_h5_class_file_access()), .properties, .cannotOpen, "\(name): no access properties")
        try check(H5Pset_fapl_core(access.id, 4 << 20, false), .cannotOpen, "\(name): no in-memory driver")
        return access
    }

    /// Whether a group or dataset is there. False too where the path crosses a link to another place or file.
    public func contains(_ path: String) -> Bool {
        Library.enter()
        defer { Library.leave() }
        return (try? open(path)) != nil
    }

    /// The names of the groups and datasets in a group, in the order of their bytes.
    ///
    /// - Throws: ``HDF5Error/Code/notFound``, ``HDF5Error/Code/wrongType`` for a dataset.
    public func children(of path: String = "/") throws(HDF5Error) -> [String] {
        Library.enter()
        defer { Library.leave() }
        let group = try open(path)
        guard H5Iget_type(group.id) == H5I_GROUP else {
            throw HDF5Error(.wrongType, "\(name): \(path) is a dataset, not a group")
        }
        var info = H5G_info_t()
        try check(H5Gget_info(group.id, &info), .readFailed, "\(name): cannot list \(path)")
        return try names(info.nlinks, path) { index, buffer, capacity in
            H5Lget_name_by_idx(
                group.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, buffer, capacity, dkp_h5_default())
        }
    }

    /// Whether the path names a dataset (true) or a group (false).
    ///
    /// - Throws: ``HDF5Error/Code/notFound``.
    public func isDataset(_ path: String) throws(HDF5Error) -> Bool {
        Library.enter()
        defer { Library.leave() }
        let object = try open(path)
        return H5Iget_type(object.id) == H5I_DATASET
    }

    private static var longestName: Int { 1 << 16 }

    /// The names that a call of the library gives by index, in the order of their bytes. Call while inside the library.
    ///
    /// - Parameters:
    ///   - place: what is being listed, for messages.
    ///   - query: gives a name's length and, into a buffer that is large enough, the name and a NUL.
    func names(
        _ count: hsize_t, _ place: String,
        _ query: (_ index: hsize_t, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int) -> Int
    ) throws(HDF5Error) -> [String] {
        var names: [String] = []
        for index in 0..<count {
            let length = query(index, nil, 0)
            try check(length, .readFailed, "\(name): cannot list \(place)")
            guard length <= Self.longestName else {
                throw HDF5Error(.tooLarge, "\(name): a name among \(place) has \(length) bytes")
            }
            let found = withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { buffer -> String? in
                guard let base = buffer.baseAddress else { return nil }
                buffer.initialize(repeating: 0)
                return query(index, base, length + 1) == length ? String(cString: base) : nil
            }
            guard let found else {
                throw HDF5Error(.readFailed, "\(name): cannot list \(place): \(Library.takeErrors())")
            }
            names.append(found)
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Opens a group or dataset, following only links that stay in this file's tree. Call while inside the library.
    func open(_ path: String) throws(HDF5Error) -> Handle {
        let components = try components(of: path)
        var prefix = ""
        for component in components {
            prefix += "/" + component
            switch dkp_h5_link_kind(handle.id, prefix) {
            case 0: continue
            case 1, 2:
                throw HDF5Error(
                    .unsupported, "\(name): \(prefix) is a soft or external link, which is not followed")
            default:
                _ = Library.takeErrors()
                throw HDF5Error(.notFound, "\(name): no \(prefix) in this file")
            }
        }
        let object = try Handle(
            H5Oopen(handle.id, prefix.isEmpty ? "/" : prefix, dkp_h5_default()), .object, .readFailed,
            "\(name): cannot open \(prefix)")
        guard [H5I_GROUP, H5I_DATASET].contains(H5Iget_type(object.id)) else {
            throw HDF5Error(.unsupported, "\(name): \(prefix) is neither a group nor a dataset")
        }
        return object
    }

    /// The names along a path, checked.
    func components(of path: String) throws(HDF5Error) -> [String] {
        let components = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        guard !path.utf8.contains(0), path.utf8.count <= Self.longestName,
            !components.contains(where: { $0 == "." || $0 == ".." })
        else { throw HDF5Error(.invalidArgument, "\(name): \"\(path)\" is no path inside a file") }
        return components
    }
}
