// KernelPrior
