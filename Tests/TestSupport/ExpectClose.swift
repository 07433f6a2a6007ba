public import Tensors
public import Testing

/// Expects every element within `absolute + relative * |expected|` of its counterpart, and prints the worst if not.
///
/// NaN is close to nothing. Returns whether all were close.
@discardableResult
public func expectClose<Actual: BinaryFloatingPoint, Expected: BinaryFloatingPoint>(
    _ actual: [Actual], _ expected: [Expected], absolute: Double = 0, relative: Double = 0, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
    let label = comment.isEmpty ? "" : comment + ": "
    guard actual.count == expected.count else {
        Issue.record(
            "\(label)\(actual.count) elements, expected \(expected.count)", sourceLocation: sourceLocation)
        return false
    }
    var worst: (index: Int, excess: Double)?
    var failures = 0
    for index in actual.indices {
        let wanted = Double(expected[index])
        let difference = abs(Double(actual[index]) - wanted)
        let allowed = absolute + relative * abs(wanted)
        if !(difference <= allowed) {
            failures += 1
            let excess = difference.isNaN ? .infinity : difference / max(allowed, .leastNormalMagnitude)
            if excess > worst?.excess ?? -1 { worst = (index, excess) }
        }
    }
    guard let worst else { return true }
    let found = Double(actual[worst.index])
    let wanted = Double(expected[worst.index])
    Issue.record(
        """
        \(label)\(failures) of \(actual.count) elements differ; the worst, at offset \(worst.index), is \(found), \
        expected \(wanted) (difference \(abs(found - wanted)), allowed \(absolute + relative * abs(wanted)))
        """,
        sourceLocation: sourceLocation)
    return false
}

/// Expects one number within `absolute + relative * |expected|` of another.
@discardableResult
public func expectClose<Actual: BinaryFloatingPoint, Expected: BinaryFloatingPoint>(
    _ actual: Actual, _ expected: Expected, absolute: Double = 0, relative: Double = 0, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
    expectClose(
        [actual], [expected], absolute: absolute, relative: relative, comment, sourceLocation: sourceLocation)
}

/// Expects equal shapes, and every element within `absolute + relative * |expected|` of its counterpart.
@discardableResult
public func expectClose<Actual: TensorScalar & BinaryFloatingPoint, Expected: TensorScalar & BinaryFloatingPoint>(
    _ actual: Tensor<Actual>, _ expected: Tensor<Expected>, absolute: Double = 0, relative: Double = 0,
    _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
    guard actual.shape == expected.shape else {
        let label = comment.isEmpty ? "" : comment + ": "
        Issue.record("\(label)shape \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
        return false
    }
    return expectClose(
        actual.elements, expected.elements, absolute: absolute, relative: relative, comment,
        sourceLocation: sourceLocation)
}
