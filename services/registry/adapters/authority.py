"""A certificate authority in a folder: for the broker, for gateways that have certificates, for nobody else.

Its key signs here and leaves here never. Whoever has the folder can be any gateway: back it up as you would a safe.
"""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.registry.adapters.secret_files import create, replace_all
from services.registry.domain.credentials import Certificate
from services.registry.domain.errors import AuthorityUnusable, CredentialsRefused
from services.registry.ports import KeyPair

KEY_FILE = "ca.key"
CERTIFICATE_FILE = "ca.crt"
VALID = timedelta(days=20 * 365)
SKEW = timedelta(hours=1)
"""Certificates begin a little earlier than now: a gateway's clock may be slow."""


@dataclass(frozen=True, slots=True)
class _Opened:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class LocalAuthority:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: _Opened | None = None

    def found(self, now: datetime) -> bool:
        """Make the authority's key and certificate; return False, and change nothing, when it is there already.

        Raises:  AuthorityUnusable when what is there is damaged, CredentialsRefused when it cannot be written.
        """
        if (self._folder / CERTIFICATE_FILE).exists():
            self._open()
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "FireNet certificate authority")])
        certificate = (
            _builder(name, name, key.public_key(), now, now + VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        # The key first: a certificate without its key would look like an authority that is there.
        replace_all(self._folder, {KEY_FILE: _key_pem(key)})
        create(self._folder / CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM))
        return True

    def certificate(self) -> bytes:
        return self._open().certificate.public_bytes(serialization.Encoding.PEM)

    def certify(self, gateway_id: str, now: datetime, valid: timedelta) -> KeyPair:
        return self._issue(gateway_id, now, valid, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def certify_server(self, names: Sequence[str], now: datetime, valid: timedelta) -> KeyPair:
        """Return key and certificate of a server that is reached under `names`: host names and addresses.

        Raises:  CredentialsRefused for what is neither; AuthorityUnusable.
        """
        return self._issue(
            names[0], now, valid, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(list(map(_name, names)))
        )

    def revocations(self, revoked: Sequence[Certificate], now: datetime) -> bytes:
        opened = self._open()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(opened.certificate.subject)
            .last_update(now - SKEW)
            # As long as the authority: past this day OpenSSL takes no certificate at all, and the list is not fetched
            # from time to time but written anew with each change.
            .next_update(opened.certificate.not_valid_after_utc)
            .add_extension(_issued_by(opened), critical=False)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        )
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(each.serial, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(each.revoked_at or now).build())
        return builder.sign(opened.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _issue(
        self,
        common_name: str,
        now: datetime,
        valid: timedelta,
        purpose: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> KeyPair:
        opened = self._open()
        until = now + valid
        if until > opened.certificate.not_valid_after_utc:
            raise AuthorityUnusable(f"the authority ends on {opened.certificate.not_valid_after_utc:%Y-%m-%d}, before")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
        builder = (
            _builder(subject, opened.certificate.subject, key.public_key(), now, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(_issued_by(opened), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        made = builder.sign(opened.key, hashes.SHA256())
        noted = Certificate(f"{made.serial_number:x}", common_name, now, made.not_valid_after_utc)
        return KeyPair(noted, made.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def _open(self) -> _Opened:
        if self._opened is None:
            try:
                certificate = x509.load_pem_x509_certificate((self._folder / CERTIFICATE_FILE).read_bytes())
                key = serialization.load_pem_private_key((self._folder / KEY_FILE).read_bytes(), password=None)
            except FileNotFoundError as error:
                raise AuthorityUnusable(
                    f"there is no certificate authority in {self._folder}: make it with `credentials ca`"
                ) from error
            except (OSError, ValueError, TypeError, binascii.Error) as error:
                raise AuthorityUnusable(
                    f"the authority in {self._folder} cannot be read: {type(error).__name__}"
                ) from error
            if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
                raise AuthorityUnusable(f"key and certificate in {self._folder} do not belong together")
            self._opened = _Opened(key, certificate)
        return self._opened


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - SKEW)
        .not_valid_after(until.astimezone(UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _issued_by(opened: _Opened) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(opened.key.public_key())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        pass
    labels = text.split(".")
    if not text.isascii() or len(text) > 253 or not all(_is_label(label) for label in labels):
        raise CredentialsRefused(f"{text[:60]!r} is no host name and no address")
    return x509.DNSName(text)


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and label.replace("-", "").isalnum() and label[0] != "-" != label[-1]
