import HDF5

/// Whether an error is of this kind.
func isHDF5Error(_ code: HDF5Error.Code) -> (any Error) -> Bool {
    { ($0 as? HDF5Error)?.code == code }
}

/// A file in memory with a dataset and an attribute of every kind.
func everyKind() throws -> [UInt8] {
    try HDF5File.image(name: "every kind") { file throws(HDF5Error) in
        try file.write([1.5, -2] as [Float], shape: [2], at: "floats")
        try file.write([0.1] as [Double], shape: [1], at: "group/doubles")
        try file.write([-1, 5] as [Int64], shape: [2], at: "signed")
        try file.write([7] as [UInt64], shape: [1], at: "unsigned")
        try file.write([0, 255] as [UInt8], shape: [2], at: "bytes")
        try file.write([0.5] as [Float16], shape: [1], at: "halves")
        for (name, value) in attributes { try file.setAttribute(name, value, of: "group") }
    }
}

/// An attribute of every kind, by name.
let attributes: [String: AttributeValue] = [
    "text": .string("Düne\n漢"), "empty text": .string(""), "int": .int(.min), "unsigned": .unsigned(.max),
    "double": .double(-0.0), "nan": .double(.nan), "ints": .ints([1, -2, .max]), "no ints": .ints([]),
    "doubles": .doubles([.infinity, 0.1]), "no doubles": .doubles([]),
]
