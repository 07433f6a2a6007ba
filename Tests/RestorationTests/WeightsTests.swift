import Checkpointing
import Diffusion
import Failures
import Foundation
import HDF5
import Imaging
import Jobs
import Restoration
import Tensors
import TestSupport
import Testing

@Suite struct WeightsTests {
    @Test func `a place is a path and perhaps a group`() {
        let plain = WeightsLocation("models/faces.h5")
        #expect(plain.path == "models/faces.h5" && plain.group == nil && !plain.isName)
        let grouped = WeightsLocation("faces.h5#small/one")
        #expect(grouped.path == "faces.h5" && grouped.group == "small/one" && grouped.isName)
        #expect(grouped.description == "faces.h5#small/one")
        #expect(WeightsLocation("faces#").group == nil)
        #expect(WeightsLocation("#x").path == "#x")
    }

    @Test(arguments: [("a#b.h5#", "a#b.h5", nil), ("a#b/w.h5#c", "a#b/w.h5", "c"), ("a#b#c", "a#b", "c")])
    func `a place begins its group at the last number sign, and is read as it was written`(
        text: String, path: String, group: String?
    ) {
        let location = WeightsLocation(text)
        #expect(location.path == path && location.group == group)
        #expect(location.description == text && WeightsLocation(location.description) == location)
        #expect(WeightsLocation(location.inFolder("/x#y").description) == location.inFolder("/x#y"))
    }

    @Test func `weights whose own name has a number sign are opened by one rule, and the error tells how`() throws {
        try withTemporaryDirectory { folder in
            try Data().write(to: URL(fileURLWithPath: "\(folder)/faces#1.h5"))
            let error = #expect(throws: RestorationError.self) {
                try DiffusionModel(WeightsLocation("\(folder)/faces#1.h5"), precision: .f32)
            }
            #expect(error.map { "\($0)" }?.contains("faces#1.h5#") == true, "\(String(describing: error))")
            #expect(throws: WeightsError.self) {
                try DiffusionModel(WeightsLocation("\(folder)/faces#1.h5#"), precision: .f32)
            }
        }
    }

    @Test(arguments: ["", ".", "..", "../x.h5", "/x.h5", "a/b.h5", ".x.h5", "x\u{0}.h5", "..#../x"])
    func `what may lead out of a folder is no name`(_ text: String) {
        #expect(!WeightsLocation(text).isName)
    }

    @Test func `missing weights are unavailable, and the folder is listed`() throws {
        try withTemporaryDirectory { folder in
            for name in ["faces.h5", "things.hdf5", "notes.txt"] {
                try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            let error = #expect(throws: RestorationError.self) {
                try DiffusionModel(WeightsLocation("\(folder)/cats.h5"), precision: .f32)
            }
            let failure = FailureReport(try #require(error))
            #expect(failure.exitStatus == .unavailable)
            #expect(failure.description.contains("cats.h5"))
            #expect(failure.description.contains("faces.h5, things.hdf5"))
            #expect(!failure.description.contains("notes.txt"))
            #expect(WeightsLocation("faces#a").inFolder(folder).description == "\(folder)/faces.h5#a")
        }
    }

    /// A weights file of two models, one of which carries an example.
    private func writeModels(to path: String) throws {
        var snapshot = Snapshot()
        for (group, architecture) in [("first", "guided-diffusion"), ("second", "diffusers-unet2d")] {
            snapshot.setAttribute("\(group)/format", "dkp-ddpm")
            snapshot.setAttribute("\(group)/format_version", 1)
            snapshot.setAttribute("\(group)/architecture", architecture)
            snapshot.setAttribute("\(group)/config", "{\"image_size\": 32}")
            snapshot.set("\(group)/state_dict/out.weight", Tensor<Float>(shape: [3, 4], repeating: 0.5))
            snapshot.set("\(group)/state_dict/out.bias", Tensor<Float>(shape: [3]))
        }
        snapshot.setAttribute("first/trained_on", "paintings")
        snapshot.setAttribute("first/license", "CC0")
        snapshot.setAttribute("first/diffusion", "{\"steps\": 1000}")
        let x = Tensor<Float>(shape: [2, 3, 4, 4], (0..<96).map { Float($0) / 96 })
        snapshot.set("second/example/x", x)
        snapshot.set("second/example/t", Dataset([17, 803] as [Int64]))
        snapshot.set("second/example/output", x.map { 2 * $0 })
        try SnapshotFile.write(snapshot, to: path, format: "dkp-test", version: 1)
    }

    @Test func `an inspection tells what a weights file holds`() throws {
        try withTemporaryDirectory { folder in
            try writeModels(to: "\(folder)/models.h5")
            let inspection = try FileInspection("\(folder)/models.h5")
            #expect(inspection.models.map(\.group) == ["first", "second"])
            #expect(inspection.models.map(\.parameters) == [15, 15])
            #expect(inspection.models.map(\.arrays) == [2, 2])
            for words in [
                "model #first: guided-diffusion, 15 parameters in 2 arrays, float32", "trained on: paintings",
                "licence: CC0", "config: {\"image_size\": 32}", "model #second: diffusers-unet2d",
            ] {
                #expect(inspection.words().contains(words), "\(inspection.words())")
            }
        }
    }

    @Test func `a file's example is compared with a network's answer`() throws {
        final class Doubling: NoisePredictor {
            let channels = 3
            let predictsVariance = false
            let classCount: Int? = nil
            let factor: Float
            init(_ factor: Float) { self.factor = factor }
            func predict(_ image: Tensor<Float>, timestep _: Double, label _: Int?) throws -> Tensor<Float> {
                image.map { factor * $0 }
            }
        }
        try withTemporaryDirectory { folder in
            try writeModels(to: "\(folder)/models.h5")
            let example = try WeightsExample(WeightsLocation("\(folder)/models.h5#second"))
            let same = try example.compare(model(Doubling(2), size: 4))
            #expect(same.images == 2 && same.relativeError == 0)
            let other = try example.compare(model(Doubling(2.2), size: 4))
            expectClose(other.relativeError, 0.1, absolute: 1e-5)
            #expect(throws: RestorationError.self) {
                try WeightsExample(WeightsLocation("\(folder)/models.h5#first"))
            }
        }
    }

    @Test func `a sample is drawn with the model's own distribution and seed`() throws {
        let predictor = try SmoothPicturePredictor(size: 20, classCount: 3)
        var sample = DiffusionSample()
        sample.steps = "20"
        sample.seed = 4
        var steps: [Int] = []
        let image = try sample.draw(from: model(predictor, size: 20)) { step, total in
            #expect(total == 20)
            steps.append(step)
        }
        #expect(steps == Array(1...20))
        #expect(image.width == 20 && image.height == 20 && image.channels == 3)
        // Smooth, as the predictor's pictures are: neighbours differ far less than pixels at random.
        let values = image.colour.elements
        var jumps: Float = 0
        for index in 1..<values.count where index % 20 > 0 { jumps += abs(values[index] - values[index - 1]) }
        #expect(jumps / Float(values.count) < 0.1)
        #expect(try sample.draw(from: model(predictor, size: 20)).colour == image.colour)
        sample.size = (24, 50)
        let larger = try sample.draw(from: model(predictor, size: 20))
        #expect(larger.height == 24 && larger.width == 50)
        sample.size = (19, 50)
        #expect(throws: RestorationError.self) { try sample.draw(from: model(predictor, size: 20)) }
    }
}
