// Degradation
