import COneDNN

/// Throws unless a oneDNN call succeeded.
func check(_ status: dnnl_status_t, _ call: @autoclosure () -> String) throws(NeuralNetworkError) {
    guard status == dnnl_success else {
        throw .backend(call(), status: String(cString: dnnl_status2str(status)))
    }
}

/// The CPU engine and one in-order stream; destroyed with their owner, which must outlive all primitives on them.
final class ComputeStream {
    let engine: dnnl_engine_t
    let stream: dnnl_stream_t

    init() throws(NeuralNetworkError) {
        var engine: dnnl_engine_t?
        try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create")
        guard let engine else { throw .backend("dnnl_engine_create", status: "no engine") }
        var stream: dnnl_stream_t?
        let status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue)
        guard status == dnnl_success, let stream else {
            dnnl_engine_destroy(engine)
            throw .backend("dnnl_stream_create", status: String(cString: dnnl_status2str(status)))
        }
        self.engine = engine
        self.stream = stream
    }

    deinit {
        dnnl_stream_destroy(stream)
        dnnl_engine_destroy(engine)
    }
}

/// The shape, scalar type and layout of a oneDNN memory.
struct MemoryDescription {
    var value: dnnl_memory_desc_t

    init(_ value: dnnl_memory_desc_t) { self.value = value }

    init(dimensions: [Int], type: dnnl_data_type_t, tag: dnnl_format_tag_t) throws(NeuralNetworkError) {
        var value = dnnl_memory_desc_t()
        let dimensions = dimensions.map { Int64($0) }
        try check(
            dnnl_memory_desc_init_by_tag(&value, Int32(dimensions.count), dimensions, type, tag),
            "dnnl_memory_desc_init_by_tag \(dimensions)")
        self.value = value
    }

    /// The same layout with another scalar type.
    func with(type: dnnl_data_type_t) -> MemoryDescription {
        var other = self
        other.value.data_type = type
        return other
    }

    var byteCount: Int { withUnsafePointer(to: value) { dnnl_memory_desc_get_size($0) } }

    static func == (left: MemoryDescription, right: MemoryDescription) -> Bool {
        withUnsafePointer(to: left.value) { left in
            withUnsafePointer(to: right.value) { right in dnnl_memory_desc_equal(left, right) != 0 }
        }
    }
}

/// A oneDNN view of memory that somebody else owns.
final class MemoryView {
    let handle: dnnl_memory_t

    init(
        _ description: MemoryDescription, at pointer: UnsafeMutableRawPointer, on compute: ComputeStream
    ) throws(NeuralNetworkError) {
        var handle: dnnl_memory_t?
        var value = description.value
        try check(dnnl_memory_create(&handle, &value, compute.engine, pointer), "dnnl_memory_create")
        guard let handle else { throw .backend("dnnl_memory_create", status: "no memory") }
        self.handle = handle
    }

    deinit { dnnl_memory_destroy(handle) }
}

/// A oneDNN primitive description: what will be computed, and which layouts it wants.
final class PrimitiveDescription {
    let handle: dnnl_primitive_desc_t

    /// Takes over `handle`.
    init(_ handle: dnnl_primitive_desc_t) { self.handle = handle }

    deinit { dnnl_primitive_desc_destroy(handle) }

    /// Creates the description that `body` asks for, with the scratch memory left to the caller.
    static func make(
        _ call: @autoclosure () -> String,
        _ body: (inout dnnl_primitive_desc_t?, dnnl_primitive_attr_t) -> dnnl_status_t
    ) throws(NeuralNetworkError) -> PrimitiveDescription {
        var attributes: dnnl_primitive_attr_t?
        try check(dnnl_primitive_attr_create(&attributes), "dnnl_primitive_attr_create")
        guard let attributes else { throw .backend("dnnl_primitive_attr_create", status: "no attributes") }
        defer { dnnl_primitive_attr_destroy(attributes) }
        try check(
            dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
            "dnnl_primitive_attr_set_scratchpad_mode")
        var handle: dnnl_primitive_desc_t?
        try check(body(&handle, attributes), call())
        guard let handle else { throw .backend(call(), status: "no description") }
        return PrimitiveDescription(handle)
    }

    /// The change of a memory's layout and scalar type.
    static func reorder(
        _ from: MemoryDescription, to layout: MemoryDescription, name: String, on compute: ComputeStream
    ) throws(NeuralNetworkError) -> PrimitiveDescription {
        var source = from.value
        var target = layout.value
        return try make("reorder of \(name)") {
            dnnl_reorder_primitive_desc_create(&$0, &source, compute.engine, &target, compute.engine, $1)
        }
    }

    /// Lets the primitive add a tensor to its result; it comes as the argument ``addend``.
    static func addition(of addend: inout dnnl_memory_desc_t, to attributes: dnnl_primitive_attr_t) -> dnnl_status_t {
        var operations: dnnl_post_ops_t?
        var status = dnnl_post_ops_create(&operations)
        guard status == dnnl_success, let operations else { return status }
        defer { dnnl_post_ops_destroy(operations) }
        status = dnnl_post_ops_append_binary(operations, dnnl_binary_add, &addend)
        guard status == dnnl_success else { return status }
        return dnnl_primitive_attr_set_post_ops(attributes, operations)
    }

    static let addend = DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1

    /// The layout of one of the primitive's arguments, e.g. `dnnl_query_weights_md`.
    func memory(_ query: dnnl_query_t) -> MemoryDescription {
        guard let value = dnnl_primitive_desc_query_md(handle, query, 0) else {
            return MemoryDescription(dnnl_memory_desc_t())
        }
        return MemoryDescription(value.pointee)
    }

    var scratchByteCount: Int { memory(dnnl_query_scratchpad_md).byteCount }

    /// The name of the implementation that oneDNN chose, e.g. "jit:avx2".
    var implementation: String {
        var name: UnsafePointer<CChar>?
        let status = withUnsafeMutablePointer(to: &name) {
            dnnl_primitive_desc_query(handle, dnnl_query_impl_info_str, 0, $0)
        }
        guard status == dnnl_success, let name else { return "unknown" }
        return String(cString: name)
    }
}

/// A primitive with its arguments bound once; running it allocates nothing.
final class Primitive {
    private let handle: dnnl_primitive_t
    private let arguments: UnsafeMutableBufferPointer<dnnl_exec_arg_t>
    private let views: [MemoryView]
    private let name: String

    init(
        _ description: PrimitiveDescription, name: String, arguments: [(Int32, MemoryView)]
    ) throws(NeuralNetworkError) {
        var handle: dnnl_primitive_t?
        try check(dnnl_primitive_create(&handle, description.handle), "dnnl_primitive_create (\(name))")
        guard let handle else { throw .backend("dnnl_primitive_create (\(name))", status: "no primitive") }
        self.handle = handle
        self.name = name
        views = arguments.map(\.1)
        self.arguments = .allocate(capacity: arguments.count)
        _ = self.arguments.initialize(from: arguments.map { dnnl_exec_arg_t(arg: $0.0, memory: $0.1.handle) })
    }

    /// The change of a memory's layout and scalar type, with scratch of at least the bytes that its description names.
    static func reorder(
        _ from: MemoryDescription, _ source: MemoryView, to layout: MemoryDescription, _ target: MemoryView,
        scratch: UnsafeMutableRawPointer, name: String, on compute: ComputeStream
    ) throws(NeuralNetworkError) -> Primitive {
        let description = try PrimitiveDescription.reorder(from, to: layout, name: name, on: compute)
        var arguments = [(DNNL_ARG_FROM, source), (DNNL_ARG_TO, target)]
        if description.scratchByteCount > 0 {
            let view = try MemoryView(description.memory(dnnl_query_scratchpad_md), at: scratch, on: compute)
            arguments.append((DNNL_ARG_SCRATCHPAD, view))
        }
        return try Primitive(description, name: "reorder of \(name)", arguments: arguments)
    }

    deinit {
        arguments.deallocate()
        dnnl_primitive_destroy(handle)
    }

    func run(on compute: ComputeStream) throws(NeuralNetworkError) {
        try check(
            dnnl_primitive_execute(handle, compute.stream, Int32(arguments.count), arguments.baseAddress),
            "dnnl_primitive_execute (\(name))")
    }
}
