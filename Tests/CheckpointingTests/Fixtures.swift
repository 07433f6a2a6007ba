import Checkpointing
import HDF5
import Tensors

/// A snapshot with every kind of dataset and attribute in it, small enough to damage at every byte.
func exampleSnapshot() -> Snapshot {
    var snapshot = Snapshot()
    snapshot.set(
        "network/parameters",
        Dataset(shape: [2, 3], values: .float([1, -0.0, .nan, .infinity, Float.leastNonzeroMagnitude, 3])))
    snapshot.set("network/adam_m", Dataset([0.1, -1e300, .pi] as [Double]))
    snapshot.set("chains/accepted", Dataset([Int64.min, -1, .max]))
    snapshot.set("chains/deep/er/weights", Dataset([UInt64.max, 0]))
    snapshot.set("input", Dataset(shape: [1, 2, 2], values: .uint8([0, 127, 128, 255])))
    snapshot.set("scalar", Dataset(shape: [], values: .double([2.5])))
    snapshot.set("trace/empty", Dataset(shape: [0, 4], values: .float([])))
    snapshot.setAttribute("settings", #"{"method": "dip-dkp", "scale": 4, "name": "Düne"}"#)
    snapshot.setAttribute("step", 417)
    snapshot.setAttribute("empty", "")
    snapshot.setAttribute("network/rate", 1e-4)
    snapshot.setAttribute("network/parameters/unit", "none")
    snapshot.setAttribute("chains/shape", .ints([5, 2, -7]))
    snapshot.setAttribute("chains/steps", .doubles([0.25, .nan]))
    snapshot.setAttribute("chains/none", .ints([]))
    snapshot.set(RandomStream(key: .max, counter: 1 << 40), as: "random/noise")
    return snapshot
}

/// A random tree of datasets and attributes.
func randomSnapshot(_ random: inout RandomStream) -> Snapshot {
    var snapshot = Snapshot()
    for index in 0..<random.index(below: 8) {
        let shape = (0..<random.index(below: 5)).map { _ in random.index(below: 6) }
        let count = shape.reduce(1, *)
        let bits = (0..<count).map { _ in UInt64(random.nextWord()) << 32 | UInt64(random.nextWord()) }
        let values: Dataset.Values =
            switch random.index(below: 5) {
            case 0: .float(bits.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) })
            case 1: .double(bits.map { Double(bitPattern: $0) })
            case 2: .int64(bits.map { Int64(bitPattern: $0) })
            case 3: .uint64(bits)
            default: .uint8(bits.map { UInt8(truncatingIfNeeded: $0) })
            }
        snapshot.set("\(randomGroup(&random))d\(index)", Dataset(shape: shape, values: values))
    }
    for index in 0..<random.index(below: 8) {
        let value: AttributeValue =
            switch random.index(below: 6) {
            case 0: .int(Int64(truncatingIfNeeded: Int(random.nextWord())) - 1 << 31)
            case 1: .unsigned(UInt64(random.nextWord()) << 32)
            case 2: .double(random.normal())
            case 3: .ints((0..<random.index(below: 5)).map { Int64($0) })
            case 4: .doubles((0..<random.index(below: 5)).map { _ in random.normal() })
            default:
                .string(
                    String((0..<random.index(below: 30)).map { _ in ["a", "é", "\n", "漢"][random.index(below: 4)] }))
            }
        snapshot.setAttribute("\(randomGroup(&random))a\(index)", value)
    }
    return snapshot
}

private func randomGroup(_ random: inout RandomStream) -> String {
    (0..<random.index(below: 3)).map { _ in "g\(random.index(below: 3))/" }.joined()
}

/// Whether an error is of this kind.
func isCheckpointError(_ code: CheckpointError.Code) -> (any Error) -> Bool {
    { ($0 as? CheckpointError)?.code == code }
}
