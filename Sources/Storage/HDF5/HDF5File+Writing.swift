import CHDF5

extension HDF5File {
    /// Creates a file, in place of any at this path, to write to. For files that must survive a crash whole, write an
    /// ``image(name:_:)`` and store its bytes durably instead.
    ///
    /// - Throws: ``HDF5Error/Code/cannotOpen``.
    public init(creating path: String) throws(HDF5Error) {
        Library.enter()
        defer { Library.leave() }
        guard !path.utf8.contains(0) else { throw HDF5Error(.cannotOpen, "\"\(path)\" is no file name") }
        self.init(handle: try Self.create(path, try Self.access(path), name: path), name: path)
    }

    /// Builds a whole file in memory and gives its bytes. The same calls give the same bytes: no times are stored.
    ///
    /// - Parameters:
    ///   - name: for messages.
    ///   - spareCapacity: bytes that can be appended to the result without moving it.
    /// - Throws: what `build` throws; ``HDF5Error/Code/writeFailed``.
    public static func image(
        name: String, spareCapacity: Int = 0, _ build: (borrowing HDF5File) throws(HDF5Error) -> Void
    ) throws(HDF5Error) -> [UInt8] {
        Library.enter()
        defer { Library.leave() }
        let access = try memoryAccess(name)
        let handle = try create("image-\(UInt64.random(in: .min ... .max))", access, name: name)
        let file = HDF5File(handle: handle, name: name)
        try build(file)
        try file.flush()
        let size = H5Fget_file_image(file.handle.id, nil, 0)
        try check(size, .writeFailed, "\(name): no file image")
        var written = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size + spareCapacity) { buffer, initialized in
            written = H5Fget_file_image(file.handle.id, buffer.baseAddress, size)
            initialized = max(written, 0)
        }
        try check(written == size ? 0 : -1, .writeFailed, "\(name): no file image")
        return bytes
    }

    /// Creates a group, and the groups that lead to it, unless they are there.
    ///
    /// - Throws: ``HDF5Error/Code/writeFailed``, ``HDF5Error/Code/invalidArgument``.
    public func createGroup(_ path: String) throws(HDF5Error) {
        Library.enter()
        defer { Library.leave() }
        try createGroups(try components(of: path))
    }

    /// Writes an array as a new dataset, little-endian, creating the groups that lead to it.
    ///
    /// - Parameters:
    ///   - values: the elements in row-major order, as many as the shape holds.
    ///   - shape: the extent of each axis; empty for a scalar.
    ///   - fletcher32: guard every chunk with a Fletcher-32 checksum. HDF5 filters need chunks, so a scalar and a dataset
    ///     without elements go without.
    /// - Throws: ``HDF5Error/Code/invalidArgument``, ``HDF5Error/Code/writeFailed``.
    public func write<Scalar: HDF5Scalar>(
        _ values: [Scalar], shape: [Int], at path: String, fletcher32: Bool = true
    ) throws(HDF5Error) {
        Library.enter()
        defer { Library.leave() }
        let components = try components(of: path)
        guard !components.isEmpty, shape.count <= Int(H5S_MAX_RANK), shape.allSatisfy({ $0 >= 0 }),
            Self.count(of: shape) == values.count
        else {
            throw HDF5Error(
                .invalidArgument, "\(name): \(values.count) elements of shape \(shape) cannot be written at \"\(path)\""
            )
        }
        try createGroups(components.dropLast())
        let sides = shape.map { hsize_t($0) }
        let space = try Handle(
            shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), sides, nil), .dataspace,
            .writeFailed, "\(name): no extent for \(path)")
        let type = try Scalar.datatype()
        let creation = try Handle(
            H5Pcreate(dkp_h5_class_dataset_create()), .properties, .writeFailed, "\(name): no layout for \(path)")
        try check(H5Pset_obj_track_times(creation.id, false), .writeFailed, "\(name): no layout for \(path)")
        if fletcher32, !shape.isEmpty, !values.isEmpty {
            let chunk = Self.chunkShape(for: shape, elementBytes: MemoryLayout<Scalar>.size).map { hsize_t($0) }
            try check(
                H5Pset_chunk(creation.id, Int32(chunk.count), chunk), .writeFailed, "\(name): no chunks for \(path)")
            try check(H5Pset_fletcher32(creation.id), .writeFailed, "\(name): no checksum for \(path)")
        }
        let dataset = try Handle(
            H5Dcreate2(
                handle.id, "/" + components.joined(separator: "/"), type.id, space.id, dkp_h5_default(), creation.id,
                dkp_h5_default()), .dataset, .writeFailed, "\(name): cannot create \(path)")
        guard !values.isEmpty else { return }
        let status = values.withUnsafeBytes {
            H5Dwrite(dataset.id, type.id, dkp_h5_all(), dkp_h5_all(), dkp_h5_default(), $0.baseAddress)
        }
        try check(status, .writeFailed, "\(name): cannot write \(path)")
    }

    /// Gives a group or dataset ("/" is the file itself) a new attribute.
    ///
    /// - Throws: ``HDF5Error/Code/notFound`` without such an object; ``HDF5Error/Code/invalidArgument`` for an empty
    ///   name or a NUL character in name or text; ``HDF5Error/Code/writeFailed``.
    public func setAttribute(_ attributeName: String, _ value: AttributeValue, of path: String = "/") throws(HDF5Error)
    {
        Library.enter()
        defer { Library.leave() }
        guard !attributeName.isEmpty, !attributeName.utf8.contains(0) else {
            throw HDF5Error(.invalidArgument, "\(name): \"\(attributeName)\" is no name for an attribute of \(path)")
        }
        let object = try open(path)
        let place = "\(name): attribute \(attributeName) of \(path)"
        switch value {
        case .string(let text): try writeString(text, attributeName, object, place)
        case .int(let value): try writeValues([value], isList: false, attributeName, object, place)
        case .unsigned(let value): try writeValues([value], isList: false, attributeName, object, place)
        case .double(let value): try writeValues([value], isList: false, attributeName, object, place)
        case .ints(let values): try writeValues(values, isList: true, attributeName, object, place)
        case .doubles(let values): try writeValues(values, isList: true, attributeName, object, place)
        }
    }

    /// Hands everything written so far to the operating system.
    ///
    /// - Throws: ``HDF5Error/Code/writeFailed``.
    public func flush() throws(HDF5Error) {
        Library.enter()
        defer { Library.leave() }
        try check(H5Fflush(handle.id, H5F_SCOPE_GLOBAL), .writeFailed, "\(name): cannot flush")
    }

    // MARK: Inside the library

    private static func create(
        _ path: String, _ access: borrowing Handle, name: String
    ) throws(HDF5Error) -> Handle {
        // The oldest format, which every reader knows. (In later ones the library, asked for the image of an open file,
        // clears a flag in the superblock but leaves the checksum over it as it was: no one can open the result.)
        try check(
            H5Pset_libver_bounds(access.id, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110), .cannotOpen,
            "\(name): no file format")
        let creation = try Handle(
            H5Pcreate(dkp_h5_class_file_create()), .properties, .cannotOpen, "\(name): no creation properties")
        try check(H5Pset_obj_track_times(creation.id, false), .cannotOpen, "\(name): no creation properties")
        return try Handle(
            H5Fcreate(path, dkp_h5_truncate(), creation.id, access.id), .file, .cannotOpen, "\(name): cannot create")
    }

    private func createGroups(_ components: some Sequence<String>) throws(HDF5Error) {
        var prefix = ""
        for component in components {
            prefix += "/" + component
            if H5Lexists(handle.id, prefix, dkp_h5_default()) > 0 { continue }
            let creation = try Handle(
                H5Pcreate(dkp_h5_class_group_create()), .properties, .writeFailed, "\(name): no group \(prefix)")
            try check(H5Pset_obj_track_times(creation.id, false), .writeFailed, "\(name): no group \(prefix)")
            _ = try Handle(
                H5Gcreate2(handle.id, prefix, dkp_h5_default(), creation.id, dkp_h5_default()), .group, .writeFailed,
                "\(name): cannot create group \(prefix)")
        }
    }

    private func writeValues<Scalar: HDF5Scalar>(
        _ values: [Scalar], isList: Bool, _ attributeName: String, _ object: borrowing Handle, _ place: String
    ) throws(HDF5Error) {
        let space = try Handle(
            isList ? H5Screate_simple(1, [hsize_t(values.count)], nil) : H5Screate(H5S_SCALAR), .dataspace,
            .writeFailed, "\(place) has no extent")
        let type = try Scalar.datatype()
        let attribute = try Handle(
            H5Acreate2(object.id, attributeName, type.id, space.id, dkp_h5_default(), dkp_h5_default()), .attribute,
            .writeFailed, "\(place) cannot be created")
        guard !values.isEmpty else { return }
        let status = values.withUnsafeBytes { H5Awrite(attribute.id, type.id, $0.baseAddress) }
        try check(status, .writeFailed, "\(place) cannot be written")
    }

    private func writeString(
        _ text: String, _ attributeName: String, _ object: borrowing Handle, _ place: String
    ) throws(HDF5Error) {
        guard !text.utf8.contains(0) else { throw HDF5Error(.invalidArgument, "\(place) holds a NUL character") }
        // Variable length, as a fixed-length text has a limit of 64 KiB.
        let type = try Handle(H5Tcopy(dkp_h5_type_c_string()), .datatype, .writeFailed, "\(place) has no type")
        try check(H5Tset_size(type.id, dkp_h5_variable_length()), .writeFailed, "\(place) has no type")
        try check(H5Tset_cset(type.id, H5T_CSET_UTF8), .writeFailed, "\(place) has no type")
        let space = try Handle(H5Screate(H5S_SCALAR), .dataspace, .writeFailed, "\(place) has no extent")
        let attribute = try Handle(
            H5Acreate2(object.id, attributeName, type.id, space.id, dkp_h5_default(), dkp_h5_default()), .attribute,
            .writeFailed, "\(place) cannot be created")
        let status = text.withCString { (pointer: UnsafePointer<CChar>) in
            withUnsafePointer(to: pointer) { H5Awrite(attribute.id, type.id, $0) }
        }
        try check(status, .writeFailed, "\(place) cannot be written")
    }

    private static func count(of shape: [Int]) -> Int? {
        var product = 1
        for side in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: side)
            if overflow { return nil }
            product = next
        }
        return product
    }

    /// Chunks of at most about 1 MiB, the library's chunk cache: whole trailing axes, an even part of the first that
    /// does not fit.
    private static func chunkShape(for shape: [Int], elementBytes: Int) -> [Int] {
        var chunk = shape
        var bytes = shape.reduce(elementBytes, *)
        for axis in chunk.indices where bytes > 1 << 20 {
            let rest = bytes / chunk[axis]
            let pieces = max(1, (1 << 20) / rest)
            let parts = (chunk[axis] + pieces - 1) / pieces
            chunk[axis] = (shape[axis] + parts - 1) / parts
            bytes = rest * chunk[axis]
        }
        return chunk
    }
}
