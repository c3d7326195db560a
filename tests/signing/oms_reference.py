"""OpenSSF Model Signing 1.0, key method, written from the specification alone, to hold ours against.

oms_reference.py sign KEY.pem SIGNATURE FOLDER
oms_reference.py verify PUB.pem SIGNATURE FOLDER
"""

import base64
import hashlib
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HASHES = {256: hashes.SHA256, 384: hashes.SHA384, 521: hashes.SHA512}
GIT = [".git", ".gitattributes", ".github", ".gitignore"]
TYPE = "application/vnd.in-toto+json"


def pae(payload):
    return b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)


def hint(public):
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(pem).hexdigest()


def walk(root, ignored):
    names = []
    for folder, _, files in os.walk(root):
        names += [os.path.relpath(os.path.join(folder, name), root) for name in files]
    kept = [n for n in names if not any(n == i or n.startswith(i + "/") for i in ignored)]
    # Python orders strings by code point.
    return sorted(kept)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def sign(key_path, signature_path, root):
    with open(key_path, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    ignored = GIT + [os.path.relpath(signature_path, root)]
    resources = [
        {"algorithm": "sha256", "digest": digest(os.path.join(root, n)), "name": n}
        for n in walk(root, ignored)
    ]
    joined = b"".join(bytes.fromhex(r["digest"]) for r in resources)
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": os.path.basename(root), "digest": {"sha256": hashlib.sha256(joined).hexdigest()}}
        ],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": sorted(ignored),
            },
            "resources": resources,
        },
    }
    payload = json.dumps(statement).encode()
    signature = key.sign(pae(payload), ec.ECDSA(HASHES[key.curve.key_size]()))
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    with open(signature_path, "w") as file:
        json.dump(bundle, file)


def verify(public_path, signature_path, root):
    with open(public_path, "rb") as file:
        public = serialization.load_pem_public_key(file.read())
    with open(signature_path) as file:
        bundle = json.load(file)
    assert set(bundle) == {"mediaType", "verificationMaterial", "dsseEnvelope"}, bundle
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint(public)}, "tlogEntries": []}
    envelope = bundle["dsseEnvelope"]
    assert envelope["payloadType"] == TYPE
    [entry] = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    signature = base64.b64decode(entry["sig"], validate=True)
    public.verify(signature, pae(payload), ec.ECDSA(HASHES[public.curve.key_size]()))
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    predicate = statement["predicate"]
    assert set(predicate) == {"resources", "serialization"}, predicate
    form = predicate["serialization"]
    assert set(form) == {"method", "hash_type", "allow_symlinks", "ignore_paths"}, form
    assert (form["method"], form["hash_type"], form["allow_symlinks"]) == ("files", "sha256", False)
    resources = predicate["resources"]
    assert all(r["algorithm"] == "sha256" for r in resources)
    names = walk(root, form["ignore_paths"])
    assert [r["name"] for r in resources] == names, (resources, names)
    joined = b"".join(bytes.fromhex(r["digest"]) for r in resources)
    [subject] = statement["subject"]
    assert subject["name"] != "" and subject["digest"] == {"sha256": hashlib.sha256(joined).hexdigest()}
    for r in resources:
        assert digest(os.path.join(root, r["name"])) == r["digest"], r["name"]


{"sign": sign, "verify": verify}[sys.argv[1]](*sys.argv[2:])
