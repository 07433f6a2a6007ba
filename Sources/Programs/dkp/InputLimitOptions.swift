import ArgumentParser
import Daemon
import Foundation
import Imaging
import Jobs

/// The flags that say how large an input may be; each is also a variable of the environment (`DKP_LIMITS_SIDE` and so
/// on), which a flag beats. The daemon's settings have the same names and bounds.
struct InputLimitOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The largest file, in bytes. (default: 536870912)", valueName: "BYTES"))
    var limitsBytes: String?
    @Option(help: ArgumentHelp("The largest input, in pixels. (default: 67108864)", valueName: "PIXELS"))
    var limitsPixels: String?
    @Option(help: ArgumentHelp("The greatest width and height of the input. (default: 32768)", valueName: "PIXELS"))
    var limitsSide: String?

    /// The limits in force.
    /// - Throws: ``SettingsError`` for a value out of range.
    func limits() throws -> ImageLimits {
        try Self.limits([.maximumBytes: limitsBytes, .maximumPixels: limitsPixels, .maximumSide: limitsSide])
    }

    /// The limits by flags that were given and the environment.
    static func limits(_ flags: [DaemonSettingKey: String?] = [:]) throws -> ImageLimits {
        var settings = DaemonSettings()
        let environment = ProcessInfo.processInfo.environment
        for key in [DaemonSettingKey.maximumBytes, .maximumPixels, .maximumSide] {
            let (name, flag) = (SettingName.daemon(key), flags[key] ?? nil)
            guard let value = flag ?? environment[name.variable] else { continue }
            guard key.assign(value, in: &settings) else {
                throw SettingsError.invalid(
                    name.dotted, value, allowed: key.allowed, source: flag == nil ? name.variable : name.flag)
            }
        }
        return ImageLimits(
            maximumSide: settings.maximumSide, maximumPixels: settings.maximumPixels,
            maximumFileBytes: settings.maximumBytes)
    }
}
