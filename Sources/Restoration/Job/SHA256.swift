import CLibCrypto

/// The SHA-256 digest of a stream of bytes (libcrypto's).
struct SHA256: ~Copyable {
    private let context: OpaquePointer

    init() throws(RestorationError) {
        guard let context = EVP_MD_CTX_new() else { throw .unavailable("libcrypto gives no memory for a digest") }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw .unavailable("libcrypto has no SHA-256; check its installation")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    mutating func update(_ bytes: ArraySlice<UInt8>) throws(RestorationError) {
        let status = bytes.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        guard status == 1 else { throw .unavailable("libcrypto failed to compute a SHA-256 digest") }
    }

    /// The digest in lower-case hexadecimal.
    consuming func finish() throws(RestorationError) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        guard EVP_DigestFinal_ex(context, &digest, &length) == 1, length == 32 else {
            throw .unavailable("libcrypto failed to compute a SHA-256 digest")
        }
        let digits = Array("0123456789abcdef")
        return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
