import Foundation
import HDF5
import TestSupport
import Testing

@Suite struct `HDF5 errors` {
    @Test(arguments: [
        ("floats", "of type float32"), ("group", "is a group"), ("nothing", "no /nothing"),
        ("floats/in", "no /floats/in"),
        ("../floats", "no path"),
    ])
    func `an error names the file and the dataset`(_ dataset: String, _ words: String) throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/weights.h5"
            try Data(everyKind()).write(to: URL(fileURLWithPath: path))
            let file = try HDF5File(reading: path)
            #expect { try file.readBytes(dataset) } throws: { error in
                guard error is HDF5Error else { return false }
                return "\(error)".hasPrefix("\(path): ") && "\(error)".contains(dataset) && "\(error)".contains(words)
            }
            #expect { try file.attribute("none", of: "group") } throws: { error in
                isHDF5Error(.notFound)(error) && "\(error)".hasPrefix("\(path): ")
                    && "\(error)".contains("none of group")
            }
        }
    }

    @Test func `a file cut anywhere is an error that names it, or whole`() throws {
        let image = try everyKind()
        try withTemporaryDirectory { directory in
            let path = "\(directory)/cut.h5"
            for length in stride(from: 0, to: image.count, by: 97) {
                try Data(image.prefix(length)).write(to: URL(fileURLWithPath: path))
                do {
                    let file = try HDF5File(reading: path)
                    #expect(try file.readFloats("floats").values == [1.5, -2])
                    #expect(try file.readDoubles("group/doubles").values == [0.1])
                } catch {
                    #expect(error is HDF5Error && "\(error)".hasPrefix("\(path): "), "cut at \(length): \(error)")
                }
            }
        }
    }

    @Test func `a message says what the library found`() throws {
        #expect { _ = try HDF5File(image: [UInt8](repeating: 7, count: 4096), name: "noise.h5") } throws: { error in
            isHDF5Error(.cannotOpen)(error) && "\(error)".hasPrefix("noise.h5: not a readable HDF5 file")
        }
    }
}
