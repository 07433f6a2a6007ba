import HDF5
import Tensors
import TestSupport
import Testing

@Suite struct `Reading HDF5` {
    @Test func `golden numbers come with their shapes`() throws {
        let image = try GoldenNumbers.dip.doubles("degradation/image_f64")
        #expect(image.shape == [1, 3, 24, 32])
        #expect(image.elements.allSatisfy { (0...1).contains($0) })
        let floats = try GoldenNumbers.dip.floats("degradation/image_f64")
        expectClose(floats, image, relative: 1e-7)
    }

    @Test func `attributes of every stored kind are read`() throws {
        #expect(try GoldenNumbers.dip.attribute("scale", of: "degradation") == .int(2))
        #expect(try GoldenNumbers.dip.attribute("definition", of: "degradation").stringValue?.isEmpty == false)
        guard case .ints(let channels) = try GoldenNumbers.dip.attribute("channels", of: "dip_odd") else {
            Issue.record("channels are a list of integers")
            return
        }
        #expect(channels.count == 4)
        #expect(try GoldenNumbers.dip.attribute("loss_f64", of: "dip_odd").doubleValue?.isFinite == true)
    }

    @Test func `a missing object is told from one of another kind`() throws {
        let file = try GoldenNumbers.dip.open()
        let found = ["degradation", "/degradation/kernel_f64", "degradation/nothing"].map { file.contains($0) }
        #expect(found == [true, true, false])
        #expect { try file.readFloats("degradation") } throws: { ($0 as? HDF5Error)?.code == .wrongType }
        #expect { try file.readFloats("nothing") } throws: { ($0 as? HDF5Error)?.code == .notFound }
        #expect { try file.attribute("nothing") } throws: { ($0 as? HDF5Error)?.code == .notFound }
        #expect { try file.readInt64s("degradation/kernel_f64") } throws: { ($0 as? HDF5Error)?.code == .wrongType }
    }
}
