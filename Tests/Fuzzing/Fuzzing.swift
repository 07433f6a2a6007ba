import Daemon
import Foundation
import Imaging

// The program that libFuzzer drives (`make fuzz`): it finds inputs that crash, hang or take memory without bounds.
// DKP_FUZZ_INPUT says what its bytes are: "image" (the default) or "settings".

/// What is decoded here is small; the memory that libFuzzer allows is meant for what goes wrong.
private let limits = ImageLimits(
    maximumSide: 4096, maximumPixels: 1 << 20, maximumFileBytes: 1 << 20, maximumChunkBytes: 1 << 16)

private let readsSettings = ProcessInfo.processInfo.environment["DKP_FUZZ_INPUT"] == "settings"

/// libFuzzer's entry: takes one input. Whatever comes of it but a value or a typed error ends the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func takeInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: bytes, count: count))
    if readsSettings {
        var settings = ImageSettings()
        try? settings.apply(bytes, source: "side file")
        _ = try? SettingsFile(yaml: String(decoding: bytes, as: UTF8.self), source: "dkpd.yaml")
    } else if let image = try? Image(data: bytes, limits: limits) {
        precondition(image.width * image.height <= limits.maximumPixels)
    }
    return 0
}

@_silgen_name("LLVMFuzzerMutate")
private func mutate(_ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int, _ capacity: Int) -> Int

/// libFuzzer's own mutation, with the checksums of a PNG's chunks set right: else nothing behind them would be reached.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutateInput(
    _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int, _ capacity: Int, _ seed: CUnsignedInt
) -> Int {
    let count = mutate(bytes, count, capacity)
    let buffer = UnsafeMutableBufferPointer(start: bytes, count: count)
    // One in eight keeps its wrong sums.
    if buffer.starts(with: [0x89, 0x50, 0x4E, 0x47]), seed % 8 != 0 { repairChecksums(buffer) }
    return count
}

private func repairChecksums(_ file: UnsafeMutableBufferPointer<UInt8>) {
    var start = 8
    while start + 12 <= file.count {
        let length = file[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        let end = start + 8 + length
        guard end + 4 <= file.count else { return }
        let sum = checksum(file[(start + 4)..<end])
        for place in 0..<4 { file[end + place] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * place)) }
        start = end + 4
    }
}

/// CRC-32 as PNG takes it.
private func checksum(_ bytes: Slice<UnsafeMutableBufferPointer<UInt8>>) -> UInt32 {
    var sum: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 != 0 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
    }
    return ~sum
}
