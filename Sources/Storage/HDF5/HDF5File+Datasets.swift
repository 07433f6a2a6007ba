import CHDF5

/// What a file says about a dataset, before any of it is read.
public struct DatasetDescription: Sendable, Equatable {
    /// The extent of each axis; empty for a scalar.
    public let shape: [Int]
    /// How the elements are stored.
    public let elementType: ElementType
    /// The extent of a chunk, where the dataset is kept in chunks.
    public let chunkShape: [Int]?
    /// Whether the Fletcher-32 checksum guards every chunk.
    public let hasFletcher32: Bool
    /// Whether the elements are compressed.
    public let isCompressed: Bool

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }
}

extension HDF5File {
    /// The extent of each axis of a dataset; empty for a scalar.
    ///
    /// - Throws: ``HDF5Error/Code/notFound``, ``HDF5Error/Code/wrongType`` for a group, ``HDF5Error/Code/tooLarge`` for
    ///   an extent that no memory could hold.
    public func shape(of path: String) throws(HDF5Error) -> [Int] { try describe(path).shape }

    /// Everything the file says about a dataset short of its values.
    ///
    /// - Throws: as ``shape(of:)``, and ``HDF5Error/Code/unsupported`` for storage outside this file.
    public func describe(_ path: String) throws(HDF5Error) -> DatasetDescription {
        Library.enter()
        defer { Library.leave() }
        return try describe(try openDataset(path), path)
    }

    /// Reads numbers as single precision: float16, float32, bfloat16 and integers; doubles are rounded.
    ///
    /// - Throws: ``HDF5Error`` with code `notFound`, `wrongType` (not numbers), `tooLarge`, `unsupported`, `readFailed`.
    public func readFloats(_ path: String) throws(HDF5Error) -> (shape: [Int], values: [Float]) {
        try readNumbers(path)
    }

    /// Reads numbers as double precision. Integers beyond 2^53 are rounded.
    ///
    /// - Throws: as ``readFloats(_:)``.
    public func readDoubles(_ path: String) throws(HDF5Error) -> (shape: [Int], values: [Double]) {
        try readNumbers(path)
    }

    /// Reads integers of any width. A value beyond `Int64` is an error, never clipped.
    ///
    /// - Throws: as ``readFloats(_:)``; `wrongType` for anything but integers.
    public func readInt64s(_ path: String) throws(HDF5Error) -> (shape: [Int], values: [Int64]) {
        Library.enter()
        defer { Library.leave() }
        let dataset = try openDataset(path)
        let description = try describe(dataset, path)
        switch description.elementType {
        case .int, .unsigned(bytes: 1), .unsigned(bytes: 2), .unsigned(bytes: 4):
            return (description.shape, try read(dataset, description, path))
        case .unsigned:
            let values: [UInt64] = try read(dataset, description, path)
            return (description.shape, try exactly(values, path))
        default: throw wrongType(description, path, "integers")
        }
    }

    /// Reads integers of any width. A negative value is an error, never clipped.
    ///
    /// - Throws: as ``readFloats(_:)``; `wrongType` for anything but integers.
    public func readUInt64s(_ path: String) throws(HDF5Error) -> (shape: [Int], values: [UInt64]) {
        Library.enter()
        defer { Library.leave() }
        let dataset = try openDataset(path)
        let description = try describe(dataset, path)
        switch description.elementType {
        case .unsigned: return (description.shape, try read(dataset, description, path))
        case .int:
            let values: [Int64] = try read(dataset, description, path)
            return (description.shape, try exactly(values, path))
        default: throw wrongType(description, path, "integers")
        }
    }

    /// Reads a dataset of unsigned bytes.
    ///
    /// - Throws: as ``readFloats(_:)``; `wrongType` for anything but uint8.
    public func readBytes(_ path: String) throws(HDF5Error) -> (shape: [Int], values: [UInt8]) {
        Library.enter()
        defer { Library.leave() }
        let dataset = try openDataset(path)
        let description = try describe(dataset, path)
        guard description.elementType == .unsigned(bytes: 1) else { throw wrongType(description, path, "uint8") }
        return (description.shape, try read(dataset, description, path))
    }

    private func readNumbers<Scalar: HDF5Scalar & BinaryFloatingPoint>(
        _ path: String
    ) throws(HDF5Error) -> (shape: [Int], values: [Scalar]) {
        Library.enter()
        defer { Library.leave() }
        let dataset = try openDataset(path)
        let description = try describe(dataset, path)
        switch description.elementType {
        case .float(bytes: 2):
            // The library widens bit by bit, some hundred times slower.
            let halves: [Float16] = try read(dataset, description, path)
            return (description.shape, halves.map { Scalar(Float($0)) })
        case .float, .int, .unsigned: return (description.shape, try read(dataset, description, path))
        case .bfloat16:
            let patterns: [UInt16] = try read(dataset, description, path)
            return (description.shape, patterns.map { Scalar(Float(bitPattern: UInt32($0) << 16)) })
        case .other: throw wrongType(description, path, "numbers")
        }
    }

    // MARK: Inside the library

    private func openDataset(_ path: String) throws(HDF5Error) -> Handle {
        let object = try open(path)
        guard H5Iget_type(object.id) == H5I_DATASET else {
            throw HDF5Error(.wrongType, "\(name): \(path) is a group, not a dataset")
        }
        return object
    }

    private func describe(_ dataset: borrowing Handle, _ path: String) throws(HDF5Error) -> DatasetDescription {
        let space = try Handle(H5Dget_space(dataset.id), .dataspace, .readFailed, "\(name): \(path): no extent")
        let type = try Handle(H5Dget_type(dataset.id), .datatype, .readFailed, "\(name): \(path): no type")
        let creation = try Handle(
            H5Dget_create_plist(dataset.id), .properties, .readFailed, "\(name): \(path): no layout")
        let shape = try extent(space, path)
        var elementType = ElementType(datatype: type.id)
        if elementType == .unsigned(bytes: 2), H5Aexists(dataset.id, "dtype") > 0,
            (try? attribute("dtype", of: path)) == .string("bfloat16")
        {
            elementType = .bfloat16
        }

        var chunkShape: [Int]?
        switch H5Pget_layout(creation.id) {
        case H5D_COMPACT: break
        case H5D_CONTIGUOUS:
            guard H5Pget_external_count(creation.id) == 0 else {
                throw HDF5Error(.unsupported, "\(name): \(path) keeps its data in another file; copy the data in")
            }
        case H5D_CHUNKED:
            var chunk = [hsize_t](repeating: 0, count: shape.count)
            let rank = H5Pget_chunk(creation.id, Int32(shape.count), &chunk)
            guard rank == shape.count else {
                throw HDF5Error(.readFailed, "\(name): \(path): its chunks have another rank than its extent")
            }
            chunkShape = try chunk.map { side throws(HDF5Error) in try int(side, path) }
        default:
            throw HDF5Error(.unsupported, "\(name): \(path) keeps its data in another file; copy the data in")
        }

        let filters = try filters(of: creation, path)
        return DatasetDescription(
            shape: shape, elementType: elementType, chunkShape: chunkShape,
            hasFletcher32: filters.contains(H5Z_FILTER_FLETCHER32),
            isCompressed: filters.contains { ![H5Z_FILTER_FLETCHER32, H5Z_FILTER_SHUFFLE].contains($0) })
    }

    /// The extents of a dataspace, their product known not to overflow.
    private func extent(_ space: borrowing Handle, _ path: String) throws(HDF5Error) -> [Int] {
        switch H5Sget_simple_extent_type(space.id) {
        case H5S_SCALAR: return []
        case H5S_NULL: return [0]
        default: break
        }
        let rank = H5Sget_simple_extent_ndims(space.id)
        try check(rank, .readFailed, "\(name): \(path): no extent")
        var sides = [hsize_t](repeating: 0, count: Int(rank))
        try check(H5Sget_simple_extent_dims(space.id, &sides, nil), .readFailed, "\(name): \(path): no extent")
        var shape: [Int] = []
        var product = 1
        for side in sides {
            let side = try int(side, path)
            // A zero anywhere must not hide an overflow from whoever multiplies in another order.
            let (next, overflow) = product.multipliedReportingOverflow(by: max(side, 1))
            guard !overflow, next <= Int.max / 16 else {
                throw HDF5Error(.tooLarge, "\(name): \(path) claims an impossible extent \(sides); the file is damaged")
            }
            product = next
            shape.append(side)
        }
        return shape
    }

    private func int(_ side: hsize_t, _ path: String) throws(HDF5Error) -> Int {
        guard let side = Int(exactly: side) else {
            throw HDF5Error(.tooLarge, "\(name): \(path) claims an axis of \(side) elements; the file is damaged")
        }
        return side
    }

    private func filters(of creation: borrowing Handle, _ path: String) throws(HDF5Error) -> [H5Z_filter_t] {
        let count = H5Pget_nfilters(creation.id)
        try check(count, .readFailed, "\(name): \(path): no filters")
        var found: [H5Z_filter_t] = []
        for index in 0..<UInt32(count) {
            var flags: UInt32 = 0
            var values = 0
            let filter = H5Pget_filter2(creation.id, index, &flags, &values, nil, 0, nil, nil)
            try check(filter, .readFailed, "\(name): \(path): no filter \(index)")
            found.append(filter)
        }
        return found
    }

    private func read<Scalar: HDF5Scalar>(
        _ dataset: borrowing Handle, _ description: DatasetDescription, _ path: String
    ) throws(HDF5Error) -> [Scalar] {
        try checkSize(description, memoryBytes: MemoryLayout<Scalar>.size, path)
        let type = try Scalar.datatype()
        let count = description.count
        var status: herr_t = 0
        let values = [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
            buffer.initialize(repeating: .zero)
            if count > 0 {
                status = H5Dread(
                    dataset.id, type.id, dkp_h5_all(), dkp_h5_all(), dkp_h5_default(), buffer.baseAddress)
            }
            initialized = count
        }
        try check(status, .readFailed, "\(name): cannot read \(path), the file is damaged")
        return values
    }

    /// Refuses, before memory is taken, what exceeds the limit or cannot come out of a file of this size.
    private func checkSize(_ description: DatasetDescription, memoryBytes: Int, _ path: String) throws(HDF5Error) {
        let elementBytes = max(memoryBytes, description.elementType.byteCount)
        let (bytes, overflow) = description.count.multipliedReportingOverflow(by: elementBytes)
        guard !overflow, bytes <= byteLimit else {
            throw HDF5Error(
                .tooLarge,
                "\(name): \(path) has shape \(description.shape), more than the limit of \(byteLimit) bytes")
        }
        // Deflate, the densest of the usual filters, reaches 1032 to 1; more means a bomb or damage.
        let expansion = description.isCompressed ? 1032 : 1
        let (most, unbounded) = storedBytes.multipliedReportingOverflow(by: expansion)
        let fileBytes = description.count * description.elementType.byteCount
        guard unbounded || fileBytes <= most else {
            throw HDF5Error(
                .tooLarge,
                "\(name): \(path) has shape \(description.shape), more than a file of \(storedBytes) bytes can hold; "
                    + "the file is damaged")
        }
        if let chunk = description.chunkShape {
            let chunkBytes = chunk.reduce((elementBytes, false)) { total, side in
                let (next, overflow) = total.0.multipliedReportingOverflow(by: side)
                return (next, total.1 || overflow)
            }
            guard !chunkBytes.1, chunkBytes.0 <= max(byteLimit, 1 << 20) else {
                throw HDF5Error(.tooLarge, "\(name): \(path) has chunks of shape \(chunk), beyond the limit")
            }
        }
    }

    private func exactly<From: BinaryInteger, To: FixedWidthInteger>(
        _ values: [From], _ path: String
    ) throws(HDF5Error) -> [To] {
        var result: [To] = []
        result.reserveCapacity(values.count)
        for value in values {
            guard let exact = To(exactly: value) else {
                throw HDF5Error(.wrongType, "\(name): \(path) holds \(value), which is no \(To.self)")
            }
            result.append(exact)
        }
        return result
    }

    private func wrongType(_ description: DatasetDescription, _ path: String, _ wanted: String) -> HDF5Error {
        HDF5Error(.wrongType, "\(name): \(path) is of type \(description.elementType), not \(wanted)")
    }
}
