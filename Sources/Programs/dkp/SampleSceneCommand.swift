import ArgumentParser
import Imaging

struct SampleSceneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample-scene", abstract: "Paints a picture to try things on.", shouldDisplay: false)

    struct Size: ExpressibleByArgument {
        var width = 512
        var height = 384

        init() {}

        init?(argument: String) {
            let parts = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count == 2, let width = parts[0], let height = parts[1] else { return nil }
            guard (16...8192).contains(width), (16...8192).contains(height) else { return nil }
            self.width = width
            self.height = height
        }

        var defaultValueDescription: String { "\(width)x\(height)" }
    }

    @Argument(help: ArgumentHelp("The picture to write.", valueName: "OUT.png"))
    var output: String
    @Option(help: ArgumentHelp("Width and height, each 16 to 8192.", valueName: "WxH"))
    var size = Size()
    @Option(help: "Another seed, another arrangement.")
    var seed: UInt64 = 0

    func run() throws {
        try SampleScene(seed: seed).image(height: size.height, width: size.width).writePNG(to: output)
        print("\(output): \(size.width) x \(size.height)")
    }
}
