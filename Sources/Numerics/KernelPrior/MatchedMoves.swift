import Foundation
import KernelFamilies
import Tensors

/// A proposal unlike the present state, with the logarithm of (prior x reverse density) / (prior x forward density).
struct MatchedProposal {
    let latent: KernelLatent
    let logRatio: Double
}

/// Moves between categories, and between lines and paths, whose proposals are matched to the present kernel: the
/// Gaussian with its second moments, a straight line with them, a path of the line's length. What the match says nothing
/// about is drawn from the prior or stays.
struct MatchedMoves {
    /// The standard deviation of a matched coordinate about its match.
    private static let width = 0.3
    /// The norm of a matched pair that stands for a direction: the typical norm of two normals.
    private static let pairNorm = 1.25

    let prior: KernelPrior

    /// A proposal of another kind from `latent`, whose kernel is `kernel`; nil where the move leads nowhere.
    func propose(
        _ move: ChainMove, from latent: KernelLatent, kernel: Tensor<Float>, stream: inout RandomStream
    ) -> MatchedProposal? {
        if move == .motionStraighten { return straighten(latent, stream: &stream) }
        let toLine = move == .matchLine
        let share = prior.settings.gaussianShare
        let toGaussian = log(share / (1 - share))
        switch latent.category {
        case .free: return nil
        case .motion:
            if toLine && !prior.isLine(latent) { return nil }
            let match = gaussianMatch(KernelMoments(kernel))
            let proposed = KernelLatent(
                category: .gaussian, normals: match.map { $0 + Self.width * stream.normal() })
            let forward = matchedDensity(proposed.normals, about: match)
            let reverse = reverseDensity(of: latent, from: prior.kernel(of: proposed), asLine: toLine)
            return MatchedProposal(
                latent: proposed,
                logRatio: toGaussian + density(proposed.normals) - density(latent.normals) + reverse - forward)
        case .gaussian:
            var proposed = prior.draw(.motion, from: &stream)
            if toLine {
                guard prior.settings.lineShare > 0 else { return nil }
                matchLine(&proposed, to: KernelMoments(kernel), stream: &stream)
            }
            let forward = reverseDensity(of: proposed, from: kernel, asLine: toLine)
            let proposedKernel = prior.kernel(of: proposed)
            let reverse = matchedDensity(latent.normals, about: gaussianMatch(KernelMoments(proposedKernel)))
            return MatchedProposal(
                latent: proposed,
                logRatio: -toGaussian + density(proposed.normals) - density(latent.normals) + reverse - forward)
        }
    }

    /// Line to path: the path's length is matched and its anxiety is near the bottom; path to line: the line's length is
    /// matched. The coordinates that the new state does not use are drawn from the prior, and so cancel.
    private func straighten(_ latent: KernelLatent, stream: inout RandomStream) -> MatchedProposal? {
        let share = prior.settings.lineShare
        guard latent.category == .motion, share > 0, share < 1 else { return nil }
        let wasLine = prior.isLine(latent)
        var proposed = latent
        let choice = stream.uniform()
        proposed.normals[MotionLatent.lineChoice] = NormalDistribution.quantile(
            wasLine ? share + (1 - share) * choice : share * choice)
        guard prior.isLine(proposed) != wasLine else { return nil }
        let used = wasLine ? [MotionLatent.length, MotionLatent.anxiety] : [MotionLatent.lineLength]
        let unused = wasLine ? [MotionLatent.lineLength] : [MotionLatent.length, MotionLatent.anxiety]
        let forwardMatch = straightMatch(prior.motion(of: latent).length, isLine: wasLine)
        for (index, match) in zip(used, forwardMatch) {
            proposed.normals[index] = match + Self.width * stream.normal()
        }
        for index in unused { proposed.normals[index] = stream.normal() }
        let reverseMatch = straightMatch(prior.motion(of: proposed).length, isLine: !wasLine)
        let new = used.map { proposed.normals[$0] }
        let old = unused.map { latent.normals[$0] }
        let toPath = log((1 - share) / share)
        return MatchedProposal(
            latent: proposed,
            logRatio: (wasLine ? toPath : -toPath) + density(new) - matchedDensity(new, about: forwardMatch)
                - density(old) + matchedDensity(old, about: reverseMatch))
    }

    /// The coordinates of a path (length and anxiety) for a line's length, or of a line (length) for a path's.
    private func straightMatch(_ length: Double, isLine: Bool) -> [Double] {
        isLine
            ? [NormalDistribution.coordinate(of: length, in: prior.settings.motionLengths), -1.5]
            : [NormalDistribution.coordinate(of: length, in: prior.settings.lineLengths)]
    }

    /// The logarithm of the density with which a motion latent is proposed from a Gaussian kernel.
    private func reverseDensity(of latent: KernelLatent, from kernel: Tensor<Float>, asLine: Bool) -> Double {
        guard asLine else { return density(latent.normals) }
        let match = lineMatch(KernelMoments(kernel))
        var free = latent.normals
        for index in match.keys { free[index] = 0 }
        // The choice coordinate is a normal number, given that it chooses a line.
        var result = density(free) + Double(match.count) * Self.normalConstant - log(prior.settings.lineShare)
        for (index, value) in match { result += matchedDensity([latent.normals[index]], about: [value]) }
        return result
    }

    private func matchLine(_ latent: inout KernelLatent, to moments: KernelMoments, stream: inout RandomStream) {
        let choice = stream.uniform() * prior.settings.lineShare
        latent.normals[MotionLatent.lineChoice] = NormalDistribution.quantile(choice)
        let match = lineMatch(moments)
        for index in match.keys.sorted() {
            latent.normals[index] = (match[index] ?? 0) + Self.width * stream.normal()
        }
    }

    /// The coordinates of the Gaussian with these moments.
    private func gaussianMatch(_ moments: KernelMoments) -> [Double] {
        let range = prior.settings.gaussianVariances
        let logarithmic = prior.settings.varianceSpread == .logUniform
        return [
            NormalDistribution.coordinate(of: moments.major, in: range, logarithmic: logarithmic),
            NormalDistribution.coordinate(of: moments.minor, in: range, logarithmic: logarithmic),
            Self.pairNorm * cos(2 * moments.angle), Self.pairNorm * sin(2 * moments.angle),
        ]
    }

    /// The coordinates of the line with these moments: a line of length l has the variance l^2 / 12 along itself.
    private func lineMatch(_ moments: KernelMoments) -> [Int: Double] {
        let length = (12 * max(moments.major - moments.minor, 0.01)).squareRoot()
        return [
            MotionLatent.lineLength: NormalDistribution.coordinate(of: length, in: prior.settings.lineLengths),
            MotionLatent.direction.lowerBound: Self.pairNorm * cos(moments.angle),
            MotionLatent.direction.lowerBound + 1: Self.pairNorm * sin(moments.angle),
        ]
    }

    private static let normalConstant = 0.5 * log(2 * Double.pi)

    private func density(_ normals: [Double]) -> Double {
        normals.reduce(0) { $0 - 0.5 * $1 * $1 - Self.normalConstant }
    }

    private func matchedDensity(_ normals: [Double], about match: [Double]) -> Double {
        density(zip(normals, match).map { ($0 - $1) / Self.width }) - Double(normals.count) * log(Self.width)
    }
}
