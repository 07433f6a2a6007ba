import CHDF5

extension HDF5File {
    /// The names of the attributes of a group or dataset, in the order of their bytes.
    ///
    /// - Throws: ``HDF5Error/Code/notFound``, ``HDF5Error/Code/readFailed``.
    public func attributeNames(of path: String = "/") throws(HDF5Error) -> [String] {
        Library.enter()
        defer { Library.leave() }
        let object = try open(path)
        let count = dkp_h5_attribute_count(object.id)
        try check(count, .readFailed, "\(name): cannot list the attributes of \(path)")
        return try names(hsize_t(count), "the attributes of \(path)") { index, buffer, capacity in
            H5Aget_name_by_idx(
                object.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, buffer, capacity, dkp_h5_default())
        }
    }

    /// The value of an attribute of a group or dataset ("/" is the file itself). Booleans read as integers 0 and 1.
    ///
    /// - Throws: ``HDF5Error/Code/notFound``; ``HDF5Error/Code/unsupported`` for types other than text, integers and
    ///   real numbers, and for more than one dimension; ``HDF5Error/Code/tooLarge``; ``HDF5Error/Code/readFailed``.
    public func attribute(_ attributeName: String, of path: String = "/") throws(HDF5Error) -> AttributeValue {
        Library.enter()
        defer { Library.leave() }
        let object = try open(path)
        let place = "\(name): attribute \(attributeName) of \(path)"
        guard !attributeName.utf8.contains(0), H5Aexists(object.id, attributeName) > 0 else {
            _ = Library.takeErrors()
            throw HDF5Error(.notFound, "\(place) is missing")
        }
        let attribute = try Handle(
            H5Aopen(object.id, attributeName, dkp_h5_default()), .attribute, .readFailed, "\(place) cannot be opened")
        let space = try Handle(H5Aget_space(attribute.id), .dataspace, .readFailed, "\(place) has no extent")
        let type = try Handle(H5Aget_type(attribute.id), .datatype, .readFailed, "\(place) has no type")

        let isScalar = H5Sget_simple_extent_type(space.id) == H5S_SCALAR
        let count = H5Sget_simple_extent_npoints(space.id)
        guard isScalar || H5Sget_simple_extent_ndims(space.id) == 1 else {
            throw HDF5Error(.unsupported, "\(place) is neither one value nor a list")
        }
        guard (0...Self.longestAttribute).contains(count) else {
            throw HDF5Error(.tooLarge, "\(place) claims \(count) values")
        }

        switch H5Tget_class(type.id) {
        case H5T_STRING where isScalar || count == 1: return .string(try readString(attribute, type, place))
        case H5T_FLOAT:
            let values: [Double] = try readValues(attribute, Int(count), place)
            return isScalar ? .double(values[0]) : .doubles(values)
        case H5T_INTEGER, H5T_ENUM:
            if isScalar, ElementType(datatype: type.id) == .unsigned(bytes: 8) {
                let values: [UInt64] = try readValues(attribute, 1, place)
                return .unsigned(values[0])
            }
            let values: [Int64] = try readValues(attribute, Int(count), place)
            return isScalar ? .int(values[0]) : .ints(values)
        default:
            throw HDF5Error(.unsupported, "\(place) is of type \(ElementType(datatype: type.id)), which is not read")
        }
    }

    /// The most values in a list, and the most bytes in a text.
    private static var longestAttribute: Int64 { 1 << 24 }

    private func readValues<Scalar: HDF5Scalar>(
        _ attribute: borrowing Handle, _ count: Int, _ place: String
    ) throws(HDF5Error) -> [Scalar] {
        let type = try Scalar.datatype()
        var values = [Scalar](repeating: .zero, count: count)
        let status = values.withUnsafeMutableBytes { H5Aread(attribute.id, type.id, $0.baseAddress) }
        try check(count == 0 ? 0 : status, .readFailed, "\(place) cannot be read")
        return values
    }

    private func readString(
        _ attribute: borrowing Handle, _ type: borrowing Handle, _ place: String
    ) throws(HDF5Error) -> String {
        // Read in the file's own type: the library does not convert between character sets.
        if H5Tis_variable_str(type.id) > 0 {
            var text: UnsafeMutablePointer<CChar>?
            try check(H5Aread(attribute.id, type.id, &text), .readFailed, "\(place) cannot be read")
            guard let text else { return "" }
            defer { H5free_memory(text) }
            return try decode(UnsafeBufferPointer(start: text, count: strlen(text)).map(UInt8.init(bitPattern:)), place)
        }
        let size = H5Tget_size(type.id)
        guard size > 0, size <= Self.longestAttribute else {
            throw HDF5Error(.tooLarge, "\(place) claims \(size) bytes")
        }
        var bytes = [UInt8](repeating: 0, count: size)
        try check(H5Aread(attribute.id, type.id, &bytes), .readFailed, "\(place) cannot be read")
        var end = bytes.firstIndex(of: 0) ?? size
        if H5Tget_strpad(type.id) == H5T_STR_SPACEPAD {
            while end > 0, bytes[end - 1] == UInt8(ascii: " ") { end -= 1 }
        }
        return try decode(Array(bytes[..<end]), place)
    }

    private func decode(_ bytes: [UInt8], _ place: String) throws(HDF5Error) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw HDF5Error(.readFailed, "\(place) is not UTF-8")
        }
        return text
    }
}
