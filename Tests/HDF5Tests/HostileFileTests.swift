import CHDF5
import Foundation
import HDF5
import TestSupport
import Testing

/// Files that a careless reader would allocate for, follow or crash on, made with the C library itself.
@Suite struct `Hostile HDF5 files` {
    @Test func `a dataset that claims 2 to the 60 elements is an error before memory is taken`() throws {
        try withHostileFile { file in
            let space = H5Screate_simple(2, [1 << 30, 1 << 30], nil)
            let creation = H5Pcreate(dkp_h5_class_dataset_create())
            _ = H5Pset_chunk(creation, 2, [1, 1024])
            let dataset = H5Dcreate2(file, "bomb", dkp_h5_type_f32le(), space, 0, creation, 0)
            H5Dclose(dataset)
            H5Pclose(creation)
            H5Sclose(space)
        } read: { path in
            let file = try HDF5File(reading: path)
            #expect { try file.readFloats("bomb") } throws: { isHDF5Error(.tooLarge)($0) }
            #expect { try file.shape(of: "bomb") } throws: { isHDF5Error(.tooLarge)($0) }
        }
    }

    @Test func `a small file cannot claim more than it can hold`() throws {
        try withHostileFile { file in
            let space = H5Screate_simple(1, [1 << 28], nil)
            let dataset = H5Dcreate2(file, "unwritten", dkp_h5_type_f32le(), space, 0, 0, 0)
            H5Dclose(dataset)
            H5Sclose(space)
        } read: { path in
            let file = try HDF5File(reading: path)
            #expect(try file.shape(of: "unwritten") == [1 << 28])
            #expect { try file.readFloats("unwritten") } throws: { isHDF5Error(.tooLarge)($0) }
        }
    }

    @Test func `the caller's byte limit holds`() throws {
        let image = try HDF5File.image(name: "limit") { file throws(HDF5Error) in
            try file.write([Float](repeating: 1, count: 100), shape: [100], at: "data")
        }
        let exact = try HDF5File(image: image, name: "limit", byteLimit: 400)
        #expect(try exact.readFloats("data").values.count == 100)
        #expect { try exact.readDoubles("data") } throws: { isHDF5Error(.tooLarge)($0) }
    }

    @Test func `links to other places and files are not followed`() throws {
        try withHostileFile { file in
            H5Lcreate_external("/etc/other.h5", "/", file, "external", 0, 0)
            H5Lcreate_soft("/nothing", file, "soft", 0, 0)
        } read: { path in
            let file = try HDF5File(reading: path)
            #expect { try file.readFloats("external/data") } throws: { isHDF5Error(.unsupported)($0) }
            #expect { try file.readFloats("soft") } throws: { isHDF5Error(.unsupported)($0) }
            let present = file.contains("external")
            #expect(!present)
            let tree = try file.tree()
            #expect(tree.children.map(\.name) == ["external", "soft"])
            #expect(tree.children.allSatisfy { $0.problem != nil })
        }
    }

    @Test func `a dataset kept in another file is refused`() throws {
        try withHostileFile { file in
            let space = H5Screate_simple(1, [4], nil)
            let creation = H5Pcreate(dkp_h5_class_dataset_create())
            _ = H5Pset_external(creation, "/etc/hostname", 0, 4)
            H5Dclose(H5Dcreate2(file, "elsewhere", dkp_h5_type_u8le(), space, 0, creation, 0))
            H5Pclose(creation)
            H5Sclose(space)
        } read: { path in
            let file = try HDF5File(reading: path)
            #expect { try file.readBytes("elsewhere") } throws: { isHDF5Error(.unsupported)($0) }
        }
    }

    @Test func `types that are no numbers are named`() throws {
        try withHostileFile { file in
            let space = H5Screate_simple(1, [2], nil)
            let type = H5Tcopy(dkp_h5_type_c_string())
            _ = H5Tset_size(type, 8)
            H5Dclose(H5Dcreate2(file, "names", type, space, 0, 0, 0))
            H5Aclose(H5Acreate2(file, "names", type, space, 0, 0))
            H5Tclose(type)
            H5Sclose(space)
        } read: { path in
            let file = try HDF5File(reading: path)
            #expect { try file.readFloats("names") } throws: { error in
                isHDF5Error(.wrongType)(error) && "\(error)".contains("string")
            }
            #expect { try file.attribute("names") } throws: { isHDF5Error(.unsupported)($0) }
        }
    }

    @Test func `what is no HDF5 file is refused quietly`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/text.h5"
            try Data("hello".utf8).write(to: URL(fileURLWithPath: path))
            for wrong in [path, directory, directory + "/none.h5"] {
                #expect { _ = try HDF5File(reading: wrong) } throws: { error in
                    isHDF5Error(.cannotOpen)(error) && "\(error)".contains(wrong)
                }
            }
            #expect { _ = try HDF5File(image: [], name: "empty") } throws: { isHDF5Error(.cannotOpen)($0) }
        }
    }

    @Test func `a flip in a chunk is caught by Fletcher-32`() throws {
        let image = try HDF5File.image(name: "chunk") { file throws(HDF5Error) in
            try file.write((0..<64).map { _ in 0x1234_5678_9ABC_DEF0 as UInt64 }, shape: [64], at: "data")
        }
        let pattern: [UInt8] = [0xF0, 0xDE, 0xBC, 0x9A, 0x78, 0x56, 0x34, 0x12]
        let start = try #require(image.indices.dropLast(8).first { Array(image[$0..<$0 + 8]) == pattern })
        for offset in stride(from: 0, to: 512, by: 37) {
            var damaged = image
            damaged[start + offset] ^= 1 << UInt8(offset % 8)
            let file = try HDF5File(image: damaged, name: "flipped")
            #expect { try file.readUInt64s("data") } throws: { error in
                isHDF5Error(.readFailed)(error) && "\(error)".contains("checksum")
            }
        }
    }

    /// Makes a file with the C library and reads it.
    private func withHostileFile(_ make: (hid_t) -> Void, read: (String) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/hostile.h5"
            // Inside the building of an image this thread holds the module's lock, which keeps other tests out.
            _ = try HDF5File.image(name: "lock") { _ throws(HDF5Error) in
                let file = H5Fcreate(path, dkp_h5_truncate(), 0, 0)
                make(file)
                H5Fclose(file)
            }
            try read(path)
        }
    }
}
