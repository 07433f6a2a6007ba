extension Tensor where Scalar: BinaryFloatingPoint {
    /// Whether every element is a finite number: neither infinite nor NaN.
    public var isFinite: Bool {
        withUnsafeBufferPointer { elements in
            for element in elements where !element.isFinite { return false }
            return true
        }
    }
}
