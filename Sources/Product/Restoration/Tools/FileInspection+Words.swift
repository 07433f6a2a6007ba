import Foundation
public import Jobs

extension FileInspection {
    /// The inspection as JSON.
    public func json() throws(RestorationError) -> String {
        String(decoding: try JobJSON.encode(self), as: UTF8.self)
    }

    /// The inspection in words, some lines.
    /// - Parameter listsDatasets: whether the datasets of a weights file, hundreds, are listed as those of others are.
    public func words(listsDatasets: Bool = false) -> String {
        var lines = ["\(path): \(kind), \(bytes) bytes"]
        switch isIntact {
        case true?: lines.append("verified: every byte as it was written")
        case false?: lines.append("DAMAGED: \(damage ?? "")")
        case nil: break
        }
        lines += story
        let hidden: Set = ["format", "format_version", "content_sha256"]
        let told: Set = [
            "format", "format_version", "architecture", "config", "diffusion", "trained_on", "license", "dtype",
        ]
        let shown = attributes.filter { key, _ in
            let name = key.split(separator: "/").last.map(String.init) ?? key
            return !hidden.contains(key) && (models.isEmpty || !told.contains(name))
        }.sorted { $0.key < $1.key }
        if !shown.isEmpty {
            lines.append("attributes:")
            lines += shown.map { "  \($0.key) = \($0.value)" }
        }
        if !models.isEmpty && !listsDatasets {
            lines.append("\(datasets.count) datasets (--datasets lists them)")
        } else if !datasets.isEmpty {
            lines.append("datasets:")
            lines += datasets.map(\.words)
        }
        return lines.joined(separator: "\n")
    }

    private var kind: String {
        let version = formatVersion.map { " (version \($0))" } ?? ""
        return switch format {
        case "dkp-checkpoint"?: "checkpoint" + version
        case "dkp-result"?: "result" + version
        case "dkp-kernel"?: "blur kernel" + version
        case "dkp-ddpm"?: "diffusion model weights" + version
        case let format?: "HDF5 file of format \(format)" + version
        case nil where isIntact == false: "damaged file"
        case nil where !models.isEmpty: "weights of \(models.count) diffusion models"
        case nil: datasets.contains { $0.path == "kernel" } ? "blur kernel" : "HDF5 file of no known format"
        }
    }

    private var story: [String] {
        var lines: [String] = []
        if let step = attributes["step"], let total = attributes["total_steps"] {
            lines.append("step \(step) of \(total), method \(attributes["method"] ?? "unknown")")
        } else if let steps = attributes["steps"] {
            lines.append("\(steps) steps, method \(attributes["method"] ?? "unknown")")
        }
        if let kernel = datasets.first(where: { $0.path == "kernel" }), kernel.shape.count == 2 {
            lines.append("kernel of \(kernel.shape[0]) x \(kernel.shape[1])")
        }
        lines += models.flatMap(\.words)
        let broken = datasets.filter { $0.notFinite > 0 && !$0.path.hasPrefix("trace/") }
        if !broken.isEmpty {
            lines.append("numbers that are not finite in: \(broken.map(\.path).joined(separator: ", "))")
        }
        return lines
    }
}

extension FileInspection.DatasetSummary {
    fileprivate var words: String {
        var text = "  \(path): \(type) \(shape.isEmpty ? "scalar" : shape.map { String($0) }.joined(separator: " x "))"
        if let minimum, let maximum, let mean {
            text += String(format: ", %.6g to %.6g, mean %.6g", minimum, maximum, mean)
        }
        if notFinite > 0 { text += ", \(notFinite) not finite" }
        return text
    }
}
