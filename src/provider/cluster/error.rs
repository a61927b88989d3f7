//! What the API server's errors mean to the loop.

use kube::Error;

use crate::managed::cluster::ClusterError;

/// What an error means. What the server says of an object that it refused is for its
/// author to read.
#[must_use]
pub fn of(error: &Error) -> ClusterError {
    match error {
        Error::Api(status) if status.code == 409 => ClusterError::Conflict,
        Error::Api(status) if status.code == 404 => ClusterError::Gone,
        Error::Api(status) => ClusterError::Other(status.message.clone()),
        // Never with an address or a request in it.
        Error::Auth(_) => ClusterError::Other("the credentials for the API server cannot be read".to_owned()),
        Error::SerdeError(_) => ClusterError::Other("the API server's answer cannot be read".to_owned()),
        _ => ClusterError::Other("the API server does not answer".to_owned()),
    }
}

/// The same of a Secret, of which the server might repeat a part.
#[must_use]
pub fn of_secret(error: &Error) -> ClusterError {
    match error {
        Error::Api(status) if !matches!(status.code, 404 | 409) => {
            ClusterError::Other(format!("{} ({})", status.reason, status.code))
        }
        error => of(error),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn status(code: u16) -> Error {
        Error::Api(Status::failure("marker", "Forbidden").with_code(code).boxed())
    }

    #[test]
    fn conflicts_and_what_is_gone_are_told_apart_from_the_rest() {
        assert_eq!(of(&status(409)), ClusterError::Conflict);
        assert_eq!(of(&status(404)), ClusterError::Gone);
        assert_eq!(of(&status(403)), ClusterError::Other("marker".to_owned()));
        assert_eq!(of_secret(&status(409)), ClusterError::Conflict);
        assert_eq!(of_secret(&status(403)), ClusterError::Other("Forbidden (403)".to_owned()));
    }
}
