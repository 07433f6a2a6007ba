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
    var rowPadding: (before: Int, after: Int)
    /// Columns of zeros left and right.
    var columnPadding: (before: Int, after: Int)

    var outHeight: Int { (inHeight + rowPadding.before + rowPadding.after - kernelSize) / stride + 1 }
    var outWidth: Int { (inWidth + columnPadding.before + columnPadding.after - kernelSize) / stride + 1 }
    var weightShape: [Int] { [outChannels, inChannels, kernelSize, kernelSize] }

    /// Whether the result is as large as a map's physical plane.
    func fills(_ map: MapGeometry) -> Bool { outHeight == map.physicalHeight && outWidth == map.physicalWidth }

    /// The layout of the master weights.
    func plainWeights() throws(NeuralNetworkError) -> MemoryDescription {
        try MemoryDescription(dimensions: weightShape, type: dnnl_f32, tag: dnnl_oihw)
    }

    func biasLayout() throws(NeuralNetworkError) -> MemoryDescription {
        try MemoryDescription(dimensions: [outChannels], type: dnnl_f32, tag: dnnl_x)
    }

    /// Throws where maps are not planned as the convolution computes them: oneDNN writes as many pixels as it computes,
    /// wherever the buffer ends.
    func check(
        name: String, x: MapGeometry, results: [MapGeometry], inputGradient: MapGeometry?
    ) throws(NeuralNetworkError) {
        for result in results where !fills(result) {
            throw .shape(
                "\(name): a result of \(outHeight) x \(outWidth) is planned as \(result.physicalHeight) x "
                    + "\(result.physicalWidth)")
        }
        if let inputGradient,
            inputGradient.physicalHeight != x.physicalHeight || inputGradient.physicalWidth != x.physicalWidth
        {
            throw .shape(
                "\(name): the gradient of a map of \(x.physicalHeight) x \(x.physicalWidth) is planned as "
                    + "\(inputGradient.physicalHeight) x \(inputGradient.physicalWidth)")
        }
    }
}

extension ConvolutionGeometry {
    /// The convolution of a layer over a map with its halo.
    init(_ layer: NetworkGraph.Convolution, x: MapGeometry, outChannels: Int) {
        self.init(
            inChannels: x.physicalChannels, outChannels: outChannels, inHeight: x.physicalHeight,
            inWidth: x.physicalWidth, kernelSize: layer.kernelSize, stride: layer.stride,
            rowPadding: layer.zeroPadding, columnPadding: layer.zeroPadding)
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

/// The forward pass of a convolution, described on feature maps of a given layout; oneDNN lays out the weights.
struct ConvolutionDescription {
    let geometry: ConvolutionGeometry
    let primitive: PrimitiveDescription
    fileprivate let type: dnnl_data_type_t
    fileprivate let outputType: dnnl_data_type_t
    fileprivate let tag: dnnl_format_tag_t
    fileprivate let hasBias: Bool

    /// - Parameters:
    ///   - type: the scalar type of feature maps and weights.
    ///   - outputType: the scalar type of the result; gradients of it have `type`.
    ///   - residualType: the scalar type of a map that the forward pass adds, if there is one.
    init(
        _ geometry: ConvolutionGeometry, type: dnnl_data_type_t, outputType: dnnl_data_type_t,
        residualType: dnnl_data_type_t?, tag: dnnl_format_tag_t, hasBias: Bool, training: Bool,
        on compute: ComputeStream
    ) throws(NeuralNetworkError) {
        self.geometry = geometry
        self.type = type
        self.outputType = outputType
        self.tag = tag
        self.hasBias = hasBias
        var maker = try DescriptionMaker(geometry, type: type, tag: tag, hasBias: hasBias, compute: compute)
        primitive = try maker.forward(outputType: outputType, residualType: residualType, training: training)
    }

    /// The layout of the weights.
    var weights: MemoryDescription { primitive.memory(dnnl_query_weights_md) }
}

/// The backward passes of a convolution.
struct ConvolutionBackwardDescriptions {
    let geometry: ConvolutionGeometry
    /// To the gradient of the weights.
    let weights: PrimitiveDescription
    /// To the gradient of the input, if it is wanted.
    let data: InputGradientDescription?

    init(
        _ forward: ConvolutionDescription, needsInputGradient: Bool, on compute: ComputeStream
    ) throws(NeuralNetworkError) {
        geometry = forward.geometry
        var maker = try DescriptionMaker(forward, geometry: geometry, compute: compute)
        // oneDNN wants, as a hint for the backward passes, a forward pass with the scalar types that they have.
        let hint =
            forward.outputType == forward.type
            ? forward.primitive : try maker.forward(outputType: forward.type, training: true)
        weights = try maker.backwardWeights(hint: hint)
        data = needsInputGradient ? try InputGradientDescription(forward, maker, hint: hint, on: compute) : nil
    }

    /// The scratch of the passes and of unpacking the gradient of the weights.
    func scratchByteCount(on compute: ComputeStream) throws(NeuralNetworkError) -> Int {
        let unpacking = try PrimitiveDescription.reorder(
            weights.memory(dnnl_query_diff_weights_md), to: geometry.plainWeights(), name: "weights", on: compute)
        return max(
            data?.description.scratchByteCount ?? 0, weights.scratchByteCount, unpacking.scratchByteCount)
    }
}

/// The backward pass to the gradient of a convolution's input.
struct InputGradientDescription {
    let description: PrimitiveDescription
    /// Whether it is that of the convolution with stride 1, to be given the gradient with zeros put between its pixels.
    /// oneDNN has a fast strided pass for some sizes only, and falls back to one a hundred times slower for the others.
    let isDilated: Bool

    fileprivate init(
        _ forward: ConvolutionDescription, _ maker: DescriptionMaker, hint: PrimitiveDescription,
        on compute: ComputeStream
    ) throws(NeuralNetworkError) {
        var maker = maker
        let strided = try maker.backwardData(hint: hint)
        isDilated = strided.implementation.hasPrefix("ref") && forward.geometry.stride > 1
        guard isDilated else {
            description = strided
            return
        }
        var dense = forward.geometry
        dense.stride = 1
        var denseMaker = try DescriptionMaker(forward, geometry: dense, compute: compute)
        let denseHint = try denseMaker.forward(outputType: forward.type, training: true)
        description = try denseMaker.backwardData(hint: denseHint)
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
    let paddingAfter: [Int64]

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
        paddingAfter = [Int64(geometry.rowPadding.after), Int64(geometry.columnPadding.after)]
    }

    init(
        _ forward: ConvolutionDescription, geometry: ConvolutionGeometry, compute: ComputeStream
    ) throws(NeuralNetworkError) {
        try self.init(geometry, type: forward.type, tag: forward.tag, hasBias: forward.hasBias, compute: compute)
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
        let (strides, before, after) = (strides, paddingBefore, paddingAfter)
        var (source, weights) = (source, weights)
        try withOptionalPointer(to: &bias, if: hasBias) { bias throws(NeuralNetworkError) in
            try check(
                dnnl_convolution_forward_desc_init(
                    &description, kind, dnnl_convolution_direct, &source, &weights, bias, &result, strides, before,
                    after),
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
                paddingAfter),
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
        let (strides, before, after) = (strides, paddingBefore, paddingAfter)
        var source = source
        try withOptionalPointer(to: &bias, if: hasBias) { bias throws(NeuralNetworkError) in
            try check(
                dnnl_convolution_backward_weights_desc_init(
                    &description, dnnl_convolution_direct, &source, &gradient, bias, &result, strides, before,
                    after),
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
