/// Finds the name that a misspelt one may stand for.
package enum Spelling {
    /// The nearest of `names`, if no more than two letters must be changed, added, left out or swapped; nil otherwise.
    package static func nearest(to text: String, among names: some Collection<String>) -> String? {
        // No name is so long that the comparison of a longer one could come to anything.
        guard text.utf8.count <= 200 else { return nil }
        return names.map { (name: $0, distance: distance(Array(text.utf8), Array($0.utf8))) }
            .filter { 1...2 ~= $0.distance }
            .min { $0.distance < $1.distance }?.name
    }

    /// What a message says of a text that is not its own: the text, or the beginning of a long one.
    package static func excerpt(_ text: String) -> String {
        // A character may be of any length.
        let beginning = text.unicodeScalars.prefix(80)
        return beginning.endIndex == text.endIndex ? text : "\(String(beginning))... (\(text.utf8.count) bytes)"
    }

    /// The number of letters to change, add, leave out or swap with their neighbour.
    private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var rows = [Array(0...second.count)]
        for (i, letter) in first.enumerated() {
            var row = [i + 1]
            for (j, other) in second.enumerated() {
                var best = min(rows[i][j] + (letter == other ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, letter == second[j - 1], other == first[i - 1] {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[first.count][second.count]
    }
}
