import HDF5
public import Tensors

extension Snapshot {
    /// Saves a random stream as the attributes `key` and `counter` of a group, by custom "random/<stream's name>".
    public mutating func set(_ stream: RandomStream, as path: String) {
        setAttribute(path + "/key", .unsigned(stream.key))
        setAttribute(path + "/counter", .unsigned(stream.counter))
    }

    /// The random stream saved at a path, which continues with the very next number.
    ///
    /// - Throws: ``CheckpointError/Code/missing``, ``CheckpointError/Code/wrongType``.
    public func stream(_ path: String) throws(CheckpointError) -> RandomStream {
        RandomStream(key: try unsigned(path + "/key"), counter: try unsigned(path + "/counter"))
    }
}
