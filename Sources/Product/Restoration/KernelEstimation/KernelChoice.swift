import Checkpointing
public import KernelFamilies
import KernelPrior

/// How sure the estimate of a kernel is.
public struct KernelConfidence: Sendable, Codable, Equatable {
    /// The category that came second; nil where there was only one.
    public var runnerUp: KernelCategory?
    /// By how much the chosen kernel is likelier than the runner-up, in twice the natural logarithm a sample; nil
    /// where there was only one. Below about 0.1 either may be right, and below 0 the runner-up explains the input better.
    public var margin: Double?
    /// How far the chains' kernels are apart, relative to their mean: above about 0.3 they do not agree.
    public var spread: Double
    /// The trained prior's energy of the image restored with the chosen kernel, relative to that of the image restored
    /// with the runner-up, where both were restored; the further from 1, the surer.
    public var energyRatio: Double?

    enum CodingKeys: String, CodingKey {
        case margin, spread
        case runnerUp = "runner_up"
        case energyRatio = "energy_ratio"
    }
}

/// The choice between the chains' kernel and the free one.
///
/// An image follows the kernel that leads, and then speaks for it. Where the free kernel is tried, it leads for a while
/// from the chains' on: where the blur has the chains' shape it finds nothing better, where it has not it pulls
/// ahead; then the evidence settles it for good.
struct KernelChoice {
    /// The kernels that there may be.
    enum Candidate: Int {
        case chains = 0
        case free = 1
    }

    /// The free kernel has to be better by this much to be kept: its many taps explain some noise.
    private static let leastMargin = 0.2

    private let isOpen: Bool
    private(set) var leader: Candidate
    /// By how much the free kernel is likelier, as of the last weighing, in twice the logarithm a sample.
    private(set) var margin: Double?
    private var isSettled = false

    /// - Parameters:
    ///   - leader: who leads once there are two.
    ///   - isOpen: whether the evidence may change that.
    init(leader: Candidate, isOpen: Bool) {
        self.leader = leader
        self.isOpen = isOpen
    }

    /// Compares the scores, smaller ones being better.
    mutating func weigh(
        chains: FreeKernelSearch.Score, free: FreeKernelSearch.Score, settles: Bool
    ) {
        let margin = chains.data - free.data + chains.evidence - free.evidence
        self.margin = margin
        guard isOpen, settles, !isSettled else { return }
        isSettled = true
        leader = margin > Self.leastMargin ? .free : .chains
    }

    func save(to snapshot: inout Snapshot) {
        snapshot.setAttribute("free_kernel/leader", leader.rawValue)
        snapshot.setAttribute("free_kernel/is_settled", isSettled ? 1 : 0)
        if let margin { snapshot.setAttribute("free_kernel/margin", margin) }
    }

    mutating func restore(from snapshot: Snapshot) throws {
        leader = try snapshot.int("free_kernel/leader") == Candidate.chains.rawValue ? .chains : .free
        isSettled = try snapshot.int("free_kernel/is_settled") != 0
        margin = snapshot.contains("free_kernel/margin") ? try snapshot.double("free_kernel/margin") : nil
    }
}
