public import ArgumentParser
import CParallel
import Imaging
import Jobs
import Restoration

struct SampleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample",
        abstract: "Draws an image from a diffusion model: a quick proof that its weights are right.")

    @Option(help: ArgumentHelp("The model.", valueName: "FILE.h5[#GROUP]"))
    var weights: String
    @Option(name: [.long, .short], help: ArgumentHelp("The image to write, a PNG file.", valueName: "X.png"))
    var output: String
    @Option(help: "The seed of all random numbers.")
    var seed: UInt64 = 0
    @Option(help: "The steps to visit: a number, numbers for equal sections (10,20,30), or a stride (ddim50).")
    var steps = "100"
    @Option(help: ArgumentHelp("Width and height, at least the model's own. (default: those)", valueName: "WxH"))
    var size: SampleSceneCommand.Size?
    @Option(help: "How a step goes on: ddpm or ddim.")
    var sampler = RestorationSettings.DiffusionSampler.ddpm
    @Option(help: "The noise that ddim adds, 0 to 1.")
    var eta = 0.0
    @Option(help: ArgumentHelp("The class of a class-conditional model. (default: drawn)", valueName: "N"))
    var classLabel: Int?
    @Option(help: "The arithmetic: auto, f32 or bf16.")
    var precision = RestorationSettings.Precision.auto
    @Option(help: "Compute threads. (default: OMP_NUM_THREADS, or one per processor)")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is 1 to 1024.") }
    }

    func run() throws {
        if let threads { dkp_set_thread_count(Int32(threads)) }
        var sample = DiffusionSample()
        sample.seed = seed
        sample.steps = steps
        sample.sampler = sampler
        sample.eta = eta
        sample.size = size.map { ($0.height, $0.width) }
        sample.classLabel = classLabel
        let model = try DiffusionModel(WeightsLocation(weights), precision: precision)
        let image = try sample.draw(from: model) { step, total in
            Terminal.write(Terminal.isInteractive ? "\r\u{1B}[Kstep \(step)/\(total)" : "")
        }
        if Terminal.isInteractive { Terminal.write("\r\u{1B}[K") }
        try image.writePNG(to: output)
        print("\(output): \(image.width) x \(image.height)")
    }
}

extension RestorationSettings.DiffusionSampler: ExpressibleByArgument {}
extension RestorationSettings.Precision: ExpressibleByArgument {}
