/// A dense array with a shape, row-major (the last axis is contiguous), 64-byte aligned, with value semantics.
///
/// Images are `[channels, height, width]`, kernels `[height, width]`, convolution weights
/// `[outChannels, inChannels, height, width]`.
public struct Tensor<Scalar: TensorScalar>: Sendable {
    /// The extent of each axis; never negative.
    public let shape: [Int]
    private var storage: AlignedStorage<Scalar>

    /// A tensor whose every element is `value`.
    public init(shape: [Int], repeating value: Scalar = .zero) {
        self.shape = shape
        storage = AlignedStorage(count: Self.elementCount(of: shape))
        storage.buffer.initialize(repeating: value)
    }

    /// A tensor with the given elements in row-major order. The number of elements must be that of the shape.
    public init(shape: [Int], _ elements: some Collection<Scalar>) {
        let count = Self.elementCount(of: shape)
        precondition(elements.count == count, "shape \(shape) holds \(count) elements, \(elements.count) were given")
        self.shape = shape
        storage = AlignedStorage(count: count)
        // Unspecialised code copies element by element, hence the block where there is one.
        let isCopied = elements.withContiguousStorageIfAvailable { storage.copy($0) } != nil
        if !isCopied { _ = storage.buffer.initialize(from: elements) }
    }

    /// The number of elements.
    public var count: Int { storage.buffer.count }

    /// The elements in row-major order, copied.
    public var elements: [Scalar] {
        Array(unsafeUninitializedCapacity: count) { elements, initialized in
            UnsafeMutableRawBufferPointer(elements).copyMemory(from: UnsafeRawBufferPointer(storage.buffer))
            initialized = count
        }
    }

    /// The element at a row-major offset.
    public subscript(offset: Int) -> Scalar {
        get {
            precondition(offset >= 0 && offset < count, "offset \(offset) outside a tensor of \(count) elements")
            return storage.buffer[offset]
        }
        set {
            precondition(offset >= 0 && offset < count, "offset \(offset) outside a tensor of \(count) elements")
            makeUnique()
            storage.buffer[offset] = newValue
        }
    }

    /// The same elements under another shape of the same count.
    public func reshaped(_ shape: [Int]) -> Tensor {
        var result = Tensor(uninitialisedShape: shape)
        precondition(result.count == count, "shape \(self.shape) cannot be read as \(shape)")
        result.storage = storage
        return result
    }

    /// Applies `transform` to every element.
    public func map<Result: TensorScalar>(_ transform: (Scalar) throws -> Result) rethrows -> Tensor<Result> {
        let result = Tensor<Result>(uninitialisedShape: shape)
        for index in 0..<count {
            result.storage.buffer.initializeElement(at: index, to: try transform(storage.buffer[index]))
        }
        return result
    }

    /// Gives read access to the elements in row-major order; the pointer must not outlive the call.
    public func withUnsafeBufferPointer<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<Scalar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeBufferPointer(storage.buffer))
    }

    /// Gives write access to the elements in row-major order; the pointer must not outlive the call.
    public mutating func withUnsafeMutableBufferPointer<Result, Failure: Error>(
        _ body: (UnsafeMutableBufferPointer<Scalar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        makeUnique()
        return try body(storage.buffer)
    }

    private init(uninitialisedShape shape: [Int]) {
        self.shape = shape
        storage = AlignedStorage(count: Self.elementCount(of: shape))
    }

    private mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&storage) {
            let copy = AlignedStorage<Scalar>(count: count)
            copy.copy(UnsafeBufferPointer(storage.buffer))
            storage = copy
        }
    }

    private static func elementCount(of shape: [Int]) -> Int {
        precondition(shape.allSatisfy { $0 >= 0 }, "a shape has no negative extent: \(shape)")
        return shape.reduce(1, *)
    }
}

extension Tensor: Equatable {
    /// Equal shapes and equal elements (so a NaN makes tensors unequal, as it does numbers).
    public static func == (left: Tensor, right: Tensor) -> Bool {
        left.shape == right.shape
            && (left.storage === right.storage || left.storage.buffer.elementsEqual(right.storage.buffer))
    }
}
