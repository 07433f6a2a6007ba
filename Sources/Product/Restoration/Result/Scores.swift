public import Imaging
public import Jobs
public import Tensors

/// How near a result comes to its references. What there is no reference for is nil.
public struct Scores: Sendable, Equatable {
    /// Luma PSNR and SSIM of the restored image.
    public var restored: Evaluation?
    /// The same of a bicubic enlargement of the input.
    public var bicubic: Evaluation?
    /// Kernel PSNR in decibels.
    public var kernelPSNR: Double?

    /// No scores.
    public init() {}
}

/// The true image and kernel, read before the work begins, so that a wrong path is known at once.
public struct ReferenceData: Sendable {
    /// The true high-resolution image.
    public var image: Image?
    /// The true kernel `[n, n]`.
    public var kernel: Tensor<Float>?

    /// Reads the references of a job.
    /// - Throws: what reading throws; ``RestorationError`` where the image does not cover the result's size.
    public init(_ references: JobRecord.References?, height: Int, width: Int) throws {
        image = try references?.image.map { path in
            try Image(file: path).croppedAsReference(height: height, width: width, name: path)
        }
        kernel = try references?.kernel.map { try KernelFile.read($0).map { Float($0) } }
    }

    /// Scores an estimate, and the bicubic enlargement beside it.
    /// - Throws: `ImageError` where sizes differ or are too small.
    public func scores(restored: Image, bicubic: Image, kernel found: Tensor<Float>, scale: Int) throws -> Scores {
        var scores = Scores()
        if let image {
            scores.restored = try evaluate(restored: restored, reference: image, scale: scale)
            scores.bicubic = try evaluate(restored: bicubic, reference: image, scale: scale)
        }
        if let kernel { scores.kernelPSNR = try Imaging.kernelPSNR(found, kernel) }
        return scores
    }
}

extension Image {
    /// The top left part of this size. The size lies within the image.
    public func cropped(height newHeight: Int, width newWidth: Int) -> Image {
        precondition(newHeight <= height && newWidth <= width, "a crop lies within its image")
        if newHeight == height && newWidth == width { return self }
        func crop(_ planes: Tensor<Float>, _ count: Int) -> [Float] {
            let (oldHeight, oldWidth) = (height, width)
            return planes.withUnsafeBufferPointer { samples in
                var result: [Float] = []
                result.reserveCapacity(count * newHeight * newWidth)
                for plane in 0..<count {
                    for row in 0..<newHeight {
                        let start = (plane * oldHeight + row) * oldWidth
                        result.append(contentsOf: samples[start..<start + newWidth])
                    }
                }
                return result
            }
        }
        return Image(
            colour: Tensor(shape: [channels, newHeight, newWidth], crop(colour, channels)),
            alpha: alpha.map { Tensor(shape: [newHeight, newWidth], crop($0, 1)) }, bitDepth: bitDepth,
            metadata: metadata)
    }

    /// The part of a reference that a result of this size shows. A reference may be larger by less than a scale factor:
    /// what does not fill a low-resolution pixel was cut off before it was made smaller.
    func croppedAsReference(height: Int, width: Int, name: String) throws(RestorationError) -> Image {
        let spare = 8
        guard self.height >= height, self.width >= width, self.height - height < spare, self.width - width < spare
        else {
            throw RestorationError(
                .badInput, "\(name): the reference is \(self.width) x \(self.height), the result \(width) x \(height)",
                remedy: "give the picture that the input was made from, at full size")
        }
        return cropped(height: height, width: width)
    }
}
