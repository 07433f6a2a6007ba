import Foundation

/// How one axis of an image is covered by overlapping tiles of one length, and how they are blended.
struct TileAxis: Equatable {
    /// Where each tile begins, ascending: the first at 0, the last ending with the axis, the others evenly between.
    let starts: [Int]
    /// The weight of each tile at each of its positions. At every position of the axis they sum to 1.
    let weights: [[Float]]

    /// - Parameters:
    ///   - length: of the axis, at least `tile`.
    ///   - tile: the tiles' length.
    ///   - overlap: what neighbours share at least, over which one fades into the other; below `tile`.
    init(length: Int, tile: Int, overlap: Int) {
        precondition(length >= tile && tile > overlap && overlap >= 0, "tiles of \(tile) for an axis of \(length)")
        let advance = tile - overlap
        let count = 1 + (length - tile + advance - 1) / advance
        let starts = (0..<count).map { count > 1 ? $0 * (length - tile) / (count - 1) : 0 }
        var sums = [Double](repeating: 0, count: length)
        let raw = starts.map { start in
            (0..<tile).map { position in
                var weight = 1.0
                if start > 0 { weight *= Self.fade(position, overlap) }
                if start + tile < length { weight *= Self.fade(tile - 1 - position, overlap) }
                sums[start + position] += weight
                return weight
            }
        }
        self.starts = starts
        weights = zip(starts, raw).map { start, weights in
            weights.enumerated().map { Float($1 / sums[start + $0]) }
        }
    }

    /// Rises smoothly from nearly 0 at a tile's edge to 1 at the end of the overlap.
    private static func fade(_ distance: Int, _ overlap: Int) -> Double {
        guard distance < overlap else { return 1 }
        let root = sin(.pi / 2 * (Double(distance) + 0.5) / Double(overlap))
        return root * root
    }
}
