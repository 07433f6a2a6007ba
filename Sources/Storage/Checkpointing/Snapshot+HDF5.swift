import HDF5

extension Snapshot {
    /// The root attributes that belong to the file and not to the snapshot.
    private static let reserved: Set<String> = ["format", "format_version", "content_sha256"]
    /// No snapshot nests deeper; a damaged file might.
    private static var deepest: Int { 64 }

    /// Refuses paths that a file cannot hold.
    func checkPaths(name: String) throws(CheckpointError) {
        for path in Self.ordered(Array(datasets.keys) + Array(attributes.keys)) {
            let components = Self.components(of: path)
            guard !components.isEmpty, components.count <= Self.deepest,
                components.allSatisfy({ $0 != "." && $0 != ".." && !$0.utf8.contains(0) })
            else { throw CheckpointError(.invalidPath, "\(name): \"\(path)\" is no path for a dataset or attribute") }
            guard attributes[path] == nil || !Self.reserved.contains(path) else {
                throw CheckpointError(.invalidPath, "\(name): the attribute \(path) is reserved for the file itself")
            }
            // Neither may lie inside a dataset; an attribute may sit on one.
            let groups = datasets[path] != nil ? components.count - 1 : components.count - 2
            var prefix = ""
            for component in components.prefix(max(groups, 0)) {
                prefix += prefix.isEmpty ? component : "/" + component
                guard datasets[prefix] == nil else {
                    throw CheckpointError(.invalidPath, "\(name): \(path) lies inside \(prefix), which is a dataset")
                }
            }
        }
    }

    /// Writes all datasets and attributes, in the order of their paths' bytes.
    func write(to file: borrowing HDF5File) throws(HDF5Error) {
        for path in Self.ordered(datasets.keys) {
            guard let dataset = datasets[path] else { continue }
            switch dataset.values {
            case .float(let values): try file.write(values, shape: dataset.shape, at: path)
            case .double(let values): try file.write(values, shape: dataset.shape, at: path)
            case .int64(let values): try file.write(values, shape: dataset.shape, at: path)
            case .uint64(let values): try file.write(values, shape: dataset.shape, at: path)
            case .uint8(let values): try file.write(values, shape: dataset.shape, at: path)
            }
        }
        for path in Self.ordered(attributes.keys) {
            guard let value = attributes[path] else { continue }
            var components = Self.components(of: path)
            let attribute = components.removeLast()
            let object = components.joined(separator: "/")
            if datasets[object] == nil { try file.createGroup(object) }
            try file.setAttribute(attribute, value, of: object)
        }
    }

    /// Reads all datasets and attributes of a file.
    ///
    /// - Throws: ``HDF5Error``; ``CheckpointError/Code/wrongFormat`` for a dataset of a type that snapshots do not hold.
    init(reading file: borrowing HDF5File) throws {
        self.init()
        try read(file, group: "", depth: 0)
    }

    private mutating func read(_ file: borrowing HDF5File, group: String, depth: Int) throws {
        guard depth <= Self.deepest else {
            throw CheckpointError(.damaged, "\(file.name): groups nest deeper than \(Self.deepest): \(group)")
        }
        try readAttributes(file, of: group)
        for child in try file.children(of: group) {
            let path = group.isEmpty ? child : "\(group)/\(child)"
            if try file.isDataset(path) {
                set(path, try Self.dataset(file, path))
                try readAttributes(file, of: path)
            } else {
                try read(file, group: path, depth: depth + 1)
            }
        }
    }

    private mutating func readAttributes(_ file: borrowing HDF5File, of object: String) throws {
        for attribute in try file.attributeNames(of: object) {
            setAttribute("\(object)/\(attribute)", try file.attribute(attribute, of: object))
        }
    }

    private static func dataset(_ file: borrowing HDF5File, _ path: String) throws -> Dataset {
        let shape: [Int]
        let values: Dataset.Values
        switch try file.describe(path).elementType {
        case .float(bytes: 4):
            let read = try file.readFloats(path)
            (shape, values) = (read.shape, .float(read.values))
        case .float(bytes: 8):
            let read = try file.readDoubles(path)
            (shape, values) = (read.shape, .double(read.values))
        case .int(bytes: 8):
            let read = try file.readInt64s(path)
            (shape, values) = (read.shape, .int64(read.values))
        case .unsigned(bytes: 8):
            let read = try file.readUInt64s(path)
            (shape, values) = (read.shape, .uint64(read.values))
        case .unsigned(bytes: 1):
            let read = try file.readBytes(path)
            (shape, values) = (read.shape, .uint8(read.values))
        case let other:
            throw CheckpointError(.wrongFormat, "\(file.name): \(path) is of type \(other), which no snapshot holds")
        }
        return Dataset(shape: shape, values: values)
    }
}
