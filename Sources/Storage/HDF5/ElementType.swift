import CHDF5

/// How the elements of a dataset are stored.
public enum ElementType: Sendable, Equatable, CustomStringConvertible {
    /// IEEE-754 floating point of 2, 4 or 8 bytes.
    case float(bytes: Int)
    /// bfloat16, kept as 16-bit integers with the attribute `dtype` = "bfloat16".
    case bfloat16
    /// A signed integer of this many bytes.
    case int(bytes: Int)
    /// An unsigned integer of this many bytes.
    case unsigned(bytes: Int)
    /// Anything else: text, compounds, enumerations, references.
    case other(String)

    /// "float32", "uint8" and so on.
    public var description: String {
        switch self {
        case .float(let bytes): "float\(bytes * 8)"
        case .bfloat16: "bfloat16"
        case .int(let bytes): "int\(bytes * 8)"
        case .unsigned(let bytes): "uint\(bytes * 8)"
        case .other(let name): name
        }
    }

    /// Bytes for one element; 0 where that is not known.
    public var byteCount: Int {
        switch self {
        case .float(let bytes), .int(let bytes), .unsigned(let bytes): bytes
        case .bfloat16: 2
        case .other: 0
        }
    }

    /// The type that an open datatype stands for, without regard to a `dtype` attribute. Call while inside the library.
    init(datatype: hid_t) {
        let bytes = H5Tget_size(datatype)
        switch H5Tget_class(datatype) {
        case H5T_FLOAT where [2, 4, 8].contains(bytes): self = .float(bytes: bytes)
        case H5T_INTEGER where [1, 2, 4, 8].contains(bytes):
            self = H5Tget_sign(datatype) == H5T_SGN_NONE ? .unsigned(bytes: bytes) : .int(bytes: bytes)
        case H5T_STRING: self = .other("string")
        case H5T_COMPOUND: self = .other("compound")
        case H5T_ENUM: self = .other("enumeration")
        case H5T_OPAQUE: self = .other("opaque")
        case H5T_REFERENCE: self = .other("reference")
        case H5T_VLEN: self = .other("variable-length")
        case H5T_ARRAY: self = .other("array")
        default: self = .other("unknown")
        }
    }
}

/// A scalar whose arrays are written to datasets as they are: little-endian, in its own width.
public protocol HDF5Scalar: BitwiseCopyable, Sendable {
    /// The type that the file will name.
    static var elementType: ElementType { get }
    /// The value that unwritten places hold.
    static var zero: Self { get }
}

extension Float: HDF5Scalar {
    /// float32.
    public static var elementType: ElementType { .float(bytes: 4) }
}

extension Double: HDF5Scalar {
    /// float64.
    public static var elementType: ElementType { .float(bytes: 8) }
}

extension Float16: HDF5Scalar {
    /// float16.
    public static var elementType: ElementType { .float(bytes: 2) }
}

extension Int64: HDF5Scalar {
    /// int64.
    public static var elementType: ElementType { .int(bytes: 8) }
}

extension UInt64: HDF5Scalar {
    /// uint64.
    public static var elementType: ElementType { .unsigned(bytes: 8) }
}

extension UInt16: HDF5Scalar {
    /// uint16.
    public static var elementType: ElementType { .unsigned(bytes: 2) }
}

extension UInt8: HDF5Scalar {
    /// uint8.
    public static var elementType: ElementType { .unsigned(bytes: 1) }
}

extension HDF5Scalar {
    /// The library's datatype for this scalar, owned by the caller. Call while inside the library.
    static func datatype() throws(HDF5Error) -> Handle {
        let id =
            switch elementType {
            case .float(bytes: 2): dkp_h5_copy_type_f16le()
            case .float(bytes: 4): H5Tcopy(dkp_h5_type_f32le())
            case .float(bytes: 8): H5Tcopy(dkp_h5_type_f64le())
            case .int(bytes: 8): H5Tcopy(dkp_h5_type_i64le())
            case .unsigned(bytes: 8): H5Tcopy(dkp_h5_type_u64le())
            case .unsigned(bytes: 2): H5Tcopy(dkp_h5_type_u16le())
            case .unsigned(bytes: 1): H5Tcopy(dkp_h5_type_u8le())
            default: hid_t(-1)
            }
        return try Handle(id, .datatype, .invalidArgument, "no HDF5 type for \(Self.self)")
    }
}
