//! Where keys come from: the environment, a token of a web identity, a container, or the machine.

use std::net::IpAddr;

use form_urlencoded::Serializer;
use http::Method;

use super::imds::Imds;
use super::keys::{Keys, element};
use crate::limits::{SECRETS_NEAR_TIMEOUT, SECRETS_TIMEOUT};
use crate::secret::SecretSource;
use crate::secrets::contract::Fault;
use crate::secrets::http::{Ask, Http};
use crate::secrets::plan::{AwsOptions, KeysFrom};
use crate::secrets::sources::Surroundings;

const CONTAINER: &str = "http://169.254.170.2";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const IDENTITY_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// Fetches keys from the place that is set, or the first that is there.
pub struct Origin {
    from: KeysFrom,
    around: Surroundings,
    imds: Imds,
    near: Http,
    sts: Http,
    sts_url: String,
}

impl Origin {
    pub fn new(options: &AwsOptions, around: Surroundings, sts_url: String) -> Self {
        Self {
            from: chosen(options.keys_from, &around),
            around,
            imds: Imds::new(options.imds_url.clone()),
            near: Http::new("the container's credentials", None, SECRETS_NEAR_TIMEOUT),
            sts: Http::new("AWS STS", options.ca_file.clone(), SECRETS_TIMEOUT),
            sts_url,
        }
    }

    pub async fn keys(&self) -> Result<Keys, Fault> {
        match self.from {
            KeysFrom::Environment => Keys::of_environment(&self.around).ok_or_else(|| {
                Fault::person("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or aws.credentials")
            }),
            KeysFrom::WebIdentity => self.of_web_identity().await,
            KeysFrom::Container => self.of_container().await,
            KeysFrom::Imds | KeysFrom::Auto => self.imds.keys().await,
        }
    }

    /// Returns the region of the environment, else of the machine.
    pub async fn region(&self) -> Result<String, Fault> {
        let set = self.around.get("AWS_REGION").or_else(|| self.around.get("AWS_DEFAULT_REGION"));
        match set {
            Some(region) => Ok(region.to_owned()),
            None => self.imds.region().await.map_err(|fault| fault.about("aws.region is not set")),
        }
    }

    async fn of_container(&self) -> Result<Keys, Fault> {
        let url = container_url(&self.around)?;
        let mut ask = Ask::get(url);
        if let Some(token) = self.container_token()? {
            ask = ask.header("authorization", token);
        }
        let answer = self.near.send(ask).await?;
        match answer.status {
            200 => Keys::of_json(&answer.body),
            status @ (429 | 500..) => {
                Err(Fault::retry(format!("the container's credentials answer HTTP {status}")))
            }
            status => Err(Fault::person(format!(
                "the container's credentials answer HTTP {status}: check the role of the task or pod"
            ))),
        }
    }

    fn container_token(&self) -> Result<Option<String>, Fault> {
        let Some(path) = self.around.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
            return Ok(self.around.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned));
        };
        Ok(Some(read(path)?))
    }

    async fn of_web_identity(&self) -> Result<Keys, Fault> {
        let need = |name: &str| {
            let value = self.around.get(name);
            value.ok_or_else(|| Fault::person(format!("set {name}, or another aws.credentials")))
        };
        let token = read(need(IDENTITY_FILE)?)?;
        let session = self.around.get("AWS_ROLE_SESSION_NAME").unwrap_or("weir");
        let body = Serializer::new(String::new())
            .append_pair("Action", "AssumeRoleWithWebIdentity")
            .append_pair("Version", "2011-06-15")
            .append_pair("RoleArn", need("AWS_ROLE_ARN")?)
            .append_pair("RoleSessionName", session)
            .append_pair("WebIdentityToken", &token)
            .finish();
        let mut ask = Ask::post(format!("{}/", self.sts_url), body)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        ask.method = Method::POST;
        let answer = self.sts.send(ask).await?;
        let body = String::from_utf8_lossy(&answer.body);
        match answer.status {
            200 => Keys::of_xml(&body)
                .ok_or_else(|| Fault::retry("the answer of AWS STS is of no known form")),
            400..=499 => {
                let code = element(&body, "Code").unwrap_or("no code");
                let text = format!(
                    "AWS STS refuses the web identity ({code}): check its token and the role's trust policy"
                );
                Err(Fault::person(text))
            }
            status => Err(Fault::retry(format!("AWS STS answers with HTTP {status}"))),
        }
    }
}

fn read(path: &str) -> Result<String, Fault> {
    let read = SecretSource::File(path.into()).read();
    read.map(|secret| secret.expose().to_owned()).map_err(|error| Fault::person(error.to_string()))
}

/// The first place that is there, in the order of AWS's own tools.
fn chosen(from: KeysFrom, around: &Surroundings) -> KeysFrom {
    if from != KeysFrom::Auto {
        return from;
    }
    let is_set = |name: &str| around.get(name).is_some();
    if is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY") {
        KeysFrom::Environment
    } else if is_set(IDENTITY_FILE) {
        KeysFrom::WebIdentity
    } else if is_set(RELATIVE) || is_set(FULL) {
        KeysFrom::Container
    } else {
        KeysFrom::Imds
    }
}

/// The address of the container's credentials. Without TLS only addresses of the machine itself are asked.
fn container_url(around: &Surroundings) -> Result<String, Fault> {
    if let Some(path) = around.get(RELATIVE) {
        if !path.starts_with('/') {
            return Err(Fault::person(format!("{RELATIVE} is no path: it begins with /")));
        }
        return Ok(format!("{CONTAINER}{path}"));
    }
    let text = around.get(FULL).ok_or_else(|| {
        Fault::person(format!("neither {RELATIVE} nor {FULL} is set: set another aws.credentials"))
    })?;
    let near = text.strip_prefix("http://").is_some_and(|rest| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = bare.map_or(host, |(host, _)| host).trim_matches(['[', ']']);
        let known = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"];
        known.contains(&host) || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    if near || text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        let text = format!("{FULL} is neither https:// nor an address of this machine");
        Err(Fault::person(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)]) -> Surroundings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Surroundings::new(variables.iter().map(owned).collect())
    }

    #[test]
    fn the_first_place_that_is_there_is_taken() {
        let id = ("AWS_ACCESS_KEY_ID", "AKIA");
        let secret = ("AWS_SECRET_ACCESS_KEY", "s");
        let (web, task) = ((IDENTITY_FILE, "/t"), (RELATIVE, "/v2/x"));
        for (variables, wanted) in [
            (&[id, secret, web, task][..], KeysFrom::Environment),
            (&[id, web, task], KeysFrom::WebIdentity),
            (&[task], KeysFrom::Container),
            (&[(FULL, "http://127.0.0.1/x")], KeysFrom::Container),
            (&[], KeysFrom::Imds),
        ] {
            assert_eq!(chosen(KeysFrom::Auto, &around(variables)), wanted);
            assert_eq!(chosen(KeysFrom::Imds, &around(variables)), KeysFrom::Imds);
        }
    }

    #[test]
    fn a_container_is_asked_in_the_clear_only_on_this_machine() {
        let of = |name, value| container_url(&around(&[(name, value)]));
        assert_eq!(of(RELATIVE, "/v2/x").unwrap(), "http://169.254.170.2/v2/x");
        for good in [
            "http://127.0.0.1:81/x",
            "http://localhost/x",
            "http://[::1]:9/x",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "https://creds.example/x",
        ] {
            assert_eq!(of(FULL, good).unwrap(), good);
        }
        for bad in ["http://10.0.0.1/x", "http://creds.example/x", "ftp://127.0.0.1", ""] {
            assert!(of(FULL, bad).is_err(), "{bad}");
        }
        assert!(of(RELATIVE, "v2").is_err());
    }
}
