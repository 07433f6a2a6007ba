import COneDNN

/// The geometry of a convolution as oneDNN sees it: physical channels and a physical plane, halos included.
struct ConvolutionGeometry {
    var inChannels: Int
    var outChannels: Int
    var inHeight: Int
    var inWidth: Int
    var kernelSize: Int
    var stride: Int
    /// Rows of zeros above and below.
    var rowPadding: (before: Int, behind: Int)
    /// Columns of zeros left and right.
    var columnPadding: (before: Int, behind: Int)

    var outHeight: Int { (inHeight + rowPadding.before + rowPadding.behind - kernelSize) / stride + 1 }
    var outWidth: Int { (inWidth + columnPadding.before + columnPadding.behind - kernelSize) / stride + 1 }
    var weightShape: [Int] { [outChannels, inChannels, kernelSize, kernelSize] }

    /// Whether the result is as large as a map's physical plane.
    func fills(_ map: MapGeometry) -> Bool { outHeight == map.physicalHeight && outWidth == map.physicalWidth }

    /// The layout of the master weights.
    func plainWeights() throws(NeuralNetworkError) -> MemoryDescription {
        try MemoryDescription(dimensions: weightShape, type: dnnl_f32, tag: dnnl_oihw)
    }
}

extension MapGeometry {
    /// oneDNN's name of the layout.
    var tag: dnnl_format_tag_t {
        switch layout {
        case .blocked: block == 16 ? dnnl_nChw16c : dnnl_nChw8c
        case .channelsLast: dnnl_nhwc
        }
    }
}

/// The three passes of a convolution, described on feature maps of a given layout; oneDNN lays out the weights.
struct ConvolutionDescriptions {
    let geometry: ConvolutionGeometry
    let forward: PrimitiveDescription
    private(set) var backwardData: PrimitiveDescription?
    private(set) var backwardWeights: PrimitiveDescription?
    /// Whether ``backwardData`` is that of the convolution with stride 1, to be given the gradient with zeros put
    /// between its pixels. oneDNN has a fast strided pass for some sizes only, and falls back to one a hundred times
    /// slower for the others.
    private(set) var dilatesGradient = false

    /// - Parameters:
    ///   - type: the scalar type of feature maps and weights.
    ///   - outputType: the scalar type of the result; gradients of it have `type`.
    ///   - residualType: the scalar type of a map that the forward pass adds, if there is one.
    init(
        _ geometry: ConvolutionGeometry, type: dnnl_data_type_t, outputType: dnnl_data_type_t,
        residualType: dnnl_data_type_t? = nil, tag: dnnl_format_tag_t, hasBias: Bool, training: Bool,
        needsInputGradient: Bool, on compute: ComputeStream
    ) throws(NeuralNetworkError) {
        self.geometry = geometry
        var maker = try DescriptionMaker(geometry, type: type, tag: tag, hasBias: hasBias, compute: compute)
        forward = try maker.forward(outputType: outputType, residualType: residualType, training: training)
        guard training else { return }
        // oneDNN wants, as a hint for the backward passes, a forward pass with the scalar types that they have.
        let hint = outputType == type ? forward : try maker.forward(outputType: type, training: true)
        backwardWeights = try maker.backwardWeights(hint: hint)
        guard needsInputGradient else { return }
        let backwardData = try maker.backwardData(hint: hint)
        self.backwardData = backwardData
        if backwardData.implementation.hasPrefix("ref"), geometry.stride > 1 {
            var dense = geometry
            dense.stride = 1
            var maker = try DescriptionMaker(dense, type: type, tag: tag, hasBias: hasBias, compute: compute)
            let hint = try maker.forward(outputType: type, training: true)
            self.backwardData = try maker.backwardData(hint: hint)
            dilatesGradient = true
        }
    }

    /// The scratch of packing the weights and of the forward pass.
    func forwardScratchByteCount(on compute: ComputeStream) throws(NeuralNetworkError) -> Int {
        let plain = try geometry.plainWeights()
        var count = forward.scratchByteCount
        for pass in [forward, backwardData].compactMap({ $0 }) {
            let packing = try PrimitiveDescription.reorder(
                plain, to: pass.memory(dnnl_query_weights_md), name: "weights", on: compute)
            count = max(count, packing.scratchByteCount)
        }
        return count
    }

    /// The scratch of the backward passes and of unpacking the gradient of the weights.
    func backwardScratchByteCount(on compute: ComputeStream) throws(NeuralNetworkError) -> Int {
        var count = backwardData?.scratchByteCount ?? 0
        if let backwardWeights {
            let unpacking = try PrimitiveDescription.reorder(
                backwardWeights.memory(dnnl_query_diff_weights_md), to: geometry.plainWeights(), name: "weights",
                on: compute)
            count = max(count, backwardWeights.scratchByteCount, unpacking.scratchByteCount)
        }
        return count
    }
}

/// Fills in oneDNN's descriptions of the passes of one convolution.
private struct DescriptionMaker {
    let geometry: ConvolutionGeometry
    let type: dnnl_data_type_t
    let tag: dnnl_format_tag_t
    let hasBias: Bool
    let compute: ComputeStream
    var source: dnnl_memory_desc_t
    var weights: dnnl_memory_desc_t
    var bias: dnnl_memory_desc_t
    let strides: [Int64]
    let paddingBefore: [Int64]
    let paddingBehind: [Int64]

    init(
        _ geometry: ConvolutionGeometry, type: dnnl_data_type_t, tag: dnnl_format_tag_t, hasBias: Bool,
        compute: ComputeStream
    ) throws(NeuralNetworkError) {
        self.geometry = geometry
        self.type = type
        self.hasBias = hasBias
        self.compute = compute
        self.tag = tag
        source = try MemoryDescription(
            dimensions: [1, geometry.inChannels, geometry.inHeight, geometry.inWidth], type: type, tag: tag
        ).value
        weights = try MemoryDescription(dimensions: geometry.weightShape, type: type, tag: dnnl_format_tag_any).value
        bias = try MemoryDescription(dimensions: [geometry.outChannels], type: dnnl_f32, tag: dnnl_x).value
        strides = [Int64](repeating: Int64(geometry.stride), count: 2)
        paddingBefore = [Int64(geometry.rowPadding.before), Int64(geometry.columnPadding.before)]
        paddingBehind = [Int64(geometry.rowPadding.behind), Int64(geometry.columnPadding.behind)]
    }

    private func result(_ type: dnnl_data_type_t) throws(NeuralNetworkError) -> dnnl_memory_desc_t {
        try MemoryDescription(
            dimensions: [1, geometry.outChannels, geometry.outHeight, geometry.outWidth], type: type, tag: tag
        ).value
    }

    mutating func forward(
        outputType: dnnl_data_type_t, residualType: dnnl_data_type_t? = nil, training: Bool
    ) throws(NeuralNetworkError) -> PrimitiveDescription {
        var result = try result(outputType)
        var description = dnnl_convolution_desc_t()
        let kind = training ? dnnl_forward_training : dnnl_forward_inference
        let (strides, before, behind) = (strides, paddingBefore, paddingBehind)
        var (source, weights) = (source, weights)
        try withOptionalPointer(to: &bias, if: hasBias) { bias throws(NeuralNetworkError) in
            try check(
                dnnl_convolution_forward_desc_init(
                    &description, kind, dnnl_convolution_direct, &source, &weights, bias, &result, strides, before,
                    behind),
                "convolution \(geometry)")
        }
        let residual = try residualType.map { type throws(NeuralNetworkError) in try self.result(type) }
        return try PrimitiveDescription.make("convolution \(geometry)") { handle, attributes in
            if var addend = residual {
                let status = PrimitiveDescription.addition(of: &addend, to: attributes)
                guard status == dnnl_success else { return status }
            }
            return dnnl_primitive_desc_create(&handle, &description, attributes, compute.engine, nil)
        }
    }

    mutating func backwardData(hint: PrimitiveDescription) throws(NeuralNetworkError) -> PrimitiveDescription {
        var result = try result(type)
        var description = dnnl_convolution_desc_t()
        try check(
            dnnl_convolution_backward_data_desc_init(
                &description, dnnl_convolution_direct, &source, &weights, &result, strides, paddingBefore,
                paddingBehind),
            "convolution backward data \(geometry)")
        return try PrimitiveDescription.make("convolution backward data \(geometry)") {
            dnnl_primitive_desc_create(&$0, &description, $1, compute.engine, hint.handle)
        }
    }

    mutating func backwardWeights(hint: PrimitiveDescription) throws(NeuralNetworkError) -> PrimitiveDescription {
        var result = try result(type)
        // The optimiser's master weights are f32, so are the gradients that move them.
        var gradient = try MemoryDescription(
            dimensions: geometry.weightShape, type: dnnl_f32, tag: dnnl_format_tag_any
        ).value
        var description = dnnl_convolution_desc_t()
        let (strides, before, behind) = (strides, paddingBefore, paddingBehind)
        var source = source
        try withOptionalPointer(to: &bias, if: hasBias) { bias throws(NeuralNetworkError) in
            try check(
                dnnl_convolution_backward_weights_desc_init(
                    &description, dnnl_convolution_direct, &source, &gradient, bias, &result, strides, before,
                    behind),
                "convolution backward weights \(geometry)")
        }
        return try PrimitiveDescription.make("convolution backward weights \(geometry)") {
            dnnl_primitive_desc_create(&$0, &description, $1, compute.engine, hint.handle)
        }
    }
}

private func withOptionalPointer<Value>(
    to value: inout Value, if present: Bool,
    _ body: (UnsafeMutablePointer<Value>?) throws(NeuralNetworkError) -> Void
) throws(NeuralNetworkError) {
    if present {
        try withUnsafeMutablePointer(to: &value) { pointer throws(NeuralNetworkError) in try body(pointer) }
    } else {
        try body(nil)
    }
}
