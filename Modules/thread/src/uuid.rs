//! The `_uuid` module: identifiers made of the time and this machine's network address (RFC 9562, version 1).

use taipan_clinic::support::*;
use taipan_abi::*;
use taipan_clinic::module::add_int;
use taipan_clinic::{methods, module};

/// 100-nanosecond steps from 15 October 1582 to 1970.
const EPOCH: u64 = 0x01b2_1dd2_1381_4000;

/// What identifies this machine and process; guarded by the GIL.
struct Source {
    node: [u8; 6],
    sequence: u16,
    last: u64,
}
static mut SOURCE: Option<Source> = None;

fn random<const N: usize>() -> [u8; N] {
    let mut b = [0; N];
    // SAFETY: room for N bytes; small requests are not interrupted.
    unsafe { libc::getrandom(b.as_mut_ptr().cast(), N, 0) };
    b
}

/// The first hardware address of a network interface that is not all zeros; else a random one, marked as such.
fn node() -> [u8; 6] {
    // SAFETY: the list is the C library's, freed after use.
    unsafe {
        let mut list = core::ptr::null_mut();
        if libc::getifaddrs(&mut list) == 0 {
            let mut found = None;
            let mut p = list;
            while let Some(e) = p.as_ref() {
                p = e.ifa_next;
                if e.ifa_addr.is_null() || (*e.ifa_addr).sa_family as i32 != libc::AF_PACKET {
                    continue;
                }
                let ll = &*e.ifa_addr.cast::<libc::sockaddr_ll>();
                let mac: [u8; 6] = [0, 1, 2, 3, 4, 5].map(|i| ll.sll_addr[i]);
                if ll.sll_halen == 6 && mac != [0; 6] {
                    found = Some(mac);
                    break;
                }
            }
            libc::freeifaddrs(list);
            if let Some(mac) = found {
                return mac;
            }
        }
    }
    let mut n = random::<6>();
    n[0] |= 1;
    n
}

fn generate_time_safe(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    let source = unsafe { &mut *(&raw mut SOURCE) }
        .get_or_insert_with(|| Source { node: node(), sequence: u16::from_ne_bytes(random::<2>()) & 0x3fff, last: 0 });
    let now = (taipan_python::pytime::wall() / 100) as u64 + EPOCH;
    if now <= source.last {
        // Several in a step, or the clock was set back: the step is never used twice.
        if source.last - now > 10_000_000 {
            source.sequence = (source.sequence + 1) & 0x3fff;
            source.last = now;
        } else {
            source.last += 1;
        }
    } else {
        source.last = now;
    }
    let t = source.last;
    let mut u = [0u8; 16];
    u[..4].copy_from_slice(&(t as u32).to_be_bytes());
    u[4..6].copy_from_slice(&((t >> 32) as u16).to_be_bytes());
    u[6..8].copy_from_slice(&((t >> 48) as u16 & 0x0fff | 0x1000).to_be_bytes());
    u[8..10].copy_from_slice(&(source.sequence | 0x8000).to_be_bytes());
    u[10..].copy_from_slice(&source.node);
    // -1: no service sees to it that no other process makes the same.
    tuple(vec![bytes(&u)?, int(-1)?])
}

methods! {
    static METHODS = [
        "generate_time_safe($module, /)" => generate_time_safe, "A new identifier in 16 bytes, and whether it is certain that no other process makes it (0) or not (-1).";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    add_int(module, c"has_uuid_generate_time_safe", 1)
}

module! {
    /// Entry point.
    pub fn PyInit__uuid = "_uuid", "Identifiers made of time and place.", methods: METHODS, exec: exec;
}
