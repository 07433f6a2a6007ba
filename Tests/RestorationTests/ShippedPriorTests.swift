import Diffusion
import Failures
import Foundation
import Imaging
import Jobs
import Restoration
import TestSupport
import Tensors
import Testing

/// The trained prior that comes with the program.
@Suite(.serialized) struct `The shipped prior` {
    private let name = "natural-images"

    @Test(.tags(.slow), arguments: [RestorationSettings.Precision.f32, .bf16])
    func `denoises the sample scene`(_ precision: RestorationSettings.Precision) throws {
        let truth = SampleScene(seed: 0).image(height: 96, width: 96).colour
        let model = try DiffusionModel(WeightsLocation(name), precision: precision)
        let denoiser = try Denoiser(
            model.predictor, training: model.description, height: 96, width: 96, multiple: 8, largestTile: 256)
        for (level, expected) in [(5.0, 38.14), (25.0, 28.30), (100.0, 20.64)] {
            var stream = RandomStream(seed: 3, name: "noise")
            let noisy = truth.map { $0 + Float(level / 255 * stream.normal()) }
            let image = try denoiser.denoise(noisy, standardDeviation: level / 255, orientation: 5)
            let error = zip(image.elements, truth.elements).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            let psnr = -10 * log10(error / Double(truth.count))
            #expect(abs(psnr - expected) < 0.1, "noise of \(level) of 255: \(psnr) dB")
        }
    }

    @Test func `is found by its name and tells what it was trained on`() throws {
        let place = WeightsLocation(name).installed
        #expect(place.path.hasSuffix("Weights/natural-images.h5") && place.exists)
        let weights = try WeightsFile(place.path)
        #expect(weights.parameterCount == 23_056_259)
        #expect(weights.trainedOn?.contains("ImageNet") == true && weights.license?.contains("research") == true)
    }

    @Test func `another file of its name is refused with what to do`() throws {
        try withTemporaryDirectory { folder in
            try Data("other weights".utf8).write(to: URL(fileURLWithPath: "\(folder)/natural-images.h5"))
            let error = try #require(throws: RestorationError.self) {
                try TrainedPrior(WeightsLocation("\(folder)/natural-images.h5"), precision: .f32)
            }
            #expect(error.code == .badInput)
            #expect(error.message.contains("\(folder)/natural-images.h5") && error.message.contains("SHA-256"))
            #expect(error.remedy?.contains("another name") == true)
        }
    }

    @Test func `where it is missing, the error says how to get it`() throws {
        try withTemporaryDirectory { folder in
            let error = try #require(throws: RestorationError.self) {
                try TrainedPrior(WeightsLocation("\(folder)/natural-images.h5"), precision: .f32)
            }
            #expect(error.code == .weightsNotFound)
            #expect(error.message.contains(folder))
            #expect(error.remedy?.contains("install") == true && error.remedy?.contains("dip-dkp") == true)
        }
    }

    @Test func `one in the folder of weights comes before the installed one`() throws {
        try withTemporaryDirectory { folder in
            for method in [RestorationSettings.Method.pnpDKP, .diffDKP] {
                var settings = RestorationSettings()
                settings.method = method
                settings.locateWeights(in: folder)
                #expect(settings.weights == nil && settings.weightsLocation?.description == name)
                try Data().write(to: URL(fileURLWithPath: "\(folder)/natural-images.h5"))
                settings.locateWeights(in: folder)
                #expect(settings.weights == "\(folder)/natural-images.h5")
                try FileManager.default.removeItem(atPath: "\(folder)/natural-images.h5")
            }
            var settings = RestorationSettings()
            settings.method = .dipDKP
            settings.locateWeights(in: folder)
            #expect(settings.weights == nil && settings.weightsLocation == nil)
        }
    }
}
