/// A group or dataset as a tree for people to read: names, shapes, types and attributes, but no elements.
public struct HDF5Node: Sendable, Equatable {
    /// An attribute with its value as text.
    public struct Attribute: Sendable, Equatable {
        /// The attribute's name.
        public let name: String
        /// Its value, or nil where it cannot be read.
        public let value: AttributeValue?
        /// Why it cannot be read, where it cannot.
        public let problem: String?
    }

    /// The name within its group; "/" for the root.
    public let name: String
    /// What kind of dataset this is; nil for a group.
    public let dataset: DatasetDescription?
    /// Why the object cannot be read, where it cannot.
    public let problem: String?
    /// Its attributes, in the order of their names' bytes.
    public let attributes: [Attribute]
    /// A group's members, in the order of their names' bytes.
    public let children: [HDF5Node]

    /// The tree as indented lines. Texts longer than `longestText` characters are cut, their length told.
    public func text(longestText: Int = 60) -> String {
        lines(longestText: longestText).joined(separator: "\n")
    }

    private func lines(longestText: Int) -> [String] {
        var heading = name
        if let dataset {
            let shape = dataset.shape.map(String.init).joined(separator: " x ")
            heading += "  \(dataset.elementType) [\(shape)]\(dataset.hasFletcher32 ? " fletcher32" : "")"
        } else if problem == nil, name != "/" {
            heading += "/"
        }
        if let problem { heading += "  (unreadable: \(problem))" }
        let inner =
            attributes.map { attribute in
                guard let value = attribute.value else {
                    return "@\(attribute.name)  (unreadable: \(attribute.problem ?? "unknown"))"
                }
                return "@\(attribute.name) = \(Self.shortened(value, longestText))"
            } + children.flatMap { $0.lines(longestText: longestText) }
        return [heading] + inner.map { "  " + $0 }
    }

    private static func shortened(_ value: AttributeValue, _ longest: Int) -> String {
        let text = value.description
        let oneLine = text.prefix(longest).map { $0.isNewline ? " " : String($0) }.joined()
        let cut = text.count > longest ? oneLine + "... (\(text.count) characters)" : oneLine
        return value.stringValue == nil ? cut : "\"\(cut)\""
    }
}

extension HDF5File {
    /// The tree below a group or dataset. What cannot be read is named in the tree and does not end the reading.
    ///
    /// - Throws: ``HDF5Error/Code/notFound``; ``HDF5Error/Code/tooLarge`` for more than 100,000 objects.
    public func tree(at path: String = "/") throws(HDF5Error) -> HDF5Node {
        Library.enter()
        defer { Library.leave() }
        _ = try isDataset(path)
        var budget = 100_000
        let components = try components(of: path)
        return try node(components.joined(separator: "/"), name: components.last ?? "/", budget: &budget, depth: 0)
    }

    private func node(_ path: String, name: String, budget: inout Int, depth: Int) throws(HDF5Error) -> HDF5Node {
        budget -= 1
        guard budget > 0, depth <= 64 else {
            throw HDF5Error(.tooLarge, "\(self.name): more objects or deeper groups than can be shown, at \(path)")
        }
        var dataset: DatasetDescription?
        var names: [String] = []
        var attributes: [HDF5Node.Attribute] = []
        do throws(HDF5Error) {
            if try isDataset(path) { dataset = try describe(path) } else { names = try children(of: path) }
            for attributeName in try attributeNames(of: path) {
                attributes.append(describeAttribute(attributeName, of: path))
            }
        } catch {
            return HDF5Node(
                name: name, dataset: dataset, problem: error.message, attributes: attributes, children: [])
        }
        var children: [HDF5Node] = []
        for child in names {
            children.append(
                try node(path.isEmpty ? child : "\(path)/\(child)", name: child, budget: &budget, depth: depth + 1))
        }
        return HDF5Node(name: name, dataset: dataset, problem: nil, attributes: attributes, children: children)
    }

    private func describeAttribute(_ attributeName: String, of path: String) -> HDF5Node.Attribute {
        do throws(HDF5Error) {
            return HDF5Node.Attribute(
                name: attributeName, value: try attribute(attributeName, of: path), problem: nil)
        } catch {
            return HDF5Node.Attribute(name: attributeName, value: nil, problem: error.message)
        }
    }
}
