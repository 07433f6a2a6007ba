import Glibc

/// A user of this machine, who need not have an entry among its accounts.
package struct UserAccount: Sendable, Hashable {
    /// The user's number.
    package let number: UInt32
    /// The user's name; the number where there is none.
    package let name: String
    /// The groups that the accounts say this user is in.
    package let groups: Set<UInt32>

    /// Looks a number up.
    package init(_ number: UInt32) {
        self.number = number
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(number, &entry, &buffer, buffer.count, &found) == 0, found != nil, let text = entry.pw_name,
            text.pointee != 0
        else {
            name = String(number)
            groups = []
            return
        }
        name = String(cString: text)
        var count: CInt = 256
        var list = [gid_t](repeating: 0, count: Int(count))
        groups = getgrouplist(text, entry.pw_gid, &list, &count) < 0 ? [entry.pw_gid] : Set(list.prefix(Int(count)))
    }

    /// The user as whom this process acts.
    package static var current: UserAccount { UserAccount(geteuid()) }
}
