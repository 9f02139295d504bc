"""A self-signed certificate for `make up LAN=1`: phones give cameras to secure pages only."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.layout import write_private

# Apple refuses certificates for servers that are valid for longer.
DAYS_VALID = 397
DAYS_LEFT_MIN = 30


def ensure(folder: Path, address: str) -> None:
    """Keep the certificate while it covers the address and has a month to go; else make one."""
    certificate = folder / "certificate.pem"
    if certificate.exists() and (folder / "key.pem").exists():
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
        left = known.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        if _covers(known, address) and left.days >= DAYS_LEFT_MIN:
            return
    _make(folder, address)


def _covers(certificate: x509.Certificate, address: str) -> bool:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    covered = [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
    return address in covered + names.get_values_for_type(x509.DNSName)


def _make(folder: Path, address: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address[:64])])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    try:
        alternatives.append(x509.IPAddress(ipaddress.ip_address(address)))
    except ValueError:
        alternatives.append(x509.DNSName(address))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS_VALID))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(folder / "key.pem", secret.decode())
    public = certificate.public_bytes(serialization.Encoding.PEM)
    write_private(folder / "certificate.pem", public.decode())
