//! Reads bodies that come compressed.
//!
//! Nobody asks for that, but a proxy in between may do it all the same. gzip and
//! deflate are read, which is what proxies do to whoever did not ask; of anything else
//! it is said that it is compressed. A body is never read further than it may be long
//! when it is not compressed, so that a small one cannot fill the memory.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zeroize::Zeroizing;

/// What is said of an answer that is longer than it may be.
pub(super) const TOO_LARGE: &str = "it is too large";

/// The body behind its `Content-Encoding`, which may be `longest` bytes long.
///
/// # Errors
/// What is wrong with it, without any of its content.
pub(super) fn decoded(
    encoding: Option<&str>,
    body: Zeroizing<Vec<u8>>,
    longest: usize,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => Ok(body),
        _ if body.is_empty() => Ok(body),
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(&**body), longest),
        // By the standard it is zlib's format; some leave zlib's header out.
        "deflate" => match read(ZlibDecoder::new(&**body), longest) {
            Err(what) if what != TOO_LARGE => read(DeflateDecoder::new(&**body), longest),
            read => read,
        },
        _ => Err("it is compressed, which nobody asked for, and not with gzip or deflate"),
    }
}

fn read(mut decoder: impl Read, longest: usize) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut plain = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new([0_u8; 8 * 1024]);
    loop {
        let count = match decoder.read(&mut *chunk) {
            Ok(0) => return Ok(plain),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err("it is compressed, and broken"),
        };
        if plain.len() + count > longest {
            return Err(TOO_LARGE);
        }
        plain.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(encoding: &str, body: &[u8], longest: usize) -> Result<Vec<u8>, &'static str> {
        decoded(Some(encoding), Zeroizing::new(body.to_vec()), longest).map(|plain| plain.to_vec())
    }

    #[test]
    fn what_is_compressed_is_read_as_it_was_before() {
        let plain = b"{\"a\":1}".repeat(1000);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&plain).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(&plain).unwrap();
        let table = [
            ("gzip", gzip(&plain)),
            ("X-GZIP", gzip(&plain)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("identity", plain.clone()),
        ];
        for (encoding, body) in table {
            assert_eq!(decode(encoding, &body, plain.len()).as_deref(), Ok(&*plain), "{encoding}");
        }
        assert_eq!(decoded(None, Zeroizing::new(plain.clone()), 0).unwrap().as_slice(), plain);
    }

    #[test]
    fn a_body_that_swells_is_refused_where_it_gets_too_long() {
        let bomb = gzip(&vec![0; 8 << 20]);
        assert!(bomb.len() < 16 << 10);
        assert_eq!(decode("gzip", &bomb, 1 << 20), Err(TOO_LARGE));
        let exact = gzip(&[0; 100]);
        assert_eq!(decode("gzip", &exact, 100).unwrap().len(), 100);
        assert_eq!(decode("gzip", &exact, 99), Err(TOO_LARGE));
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_compressed() {
        let whole = gzip(b"{}");
        let (half, _) = whole.split_at(whole.len() / 2);
        assert_eq!(decode("gzip", half, 100), Err("it is compressed, and broken"));
        assert_eq!(decode("deflate", b"\xff\xff\xff", 100), Err("it is compressed, and broken"));
        for encoding in ["br", "zstd", "gzip, gzip"] {
            let error = decode(encoding, &whole, 100).unwrap_err();
            assert!(error.starts_with("it is compressed"), "{encoding}: {error}");
        }
    }
}
