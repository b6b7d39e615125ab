"""Makes an issuer: a key pair, its public half as a JSON Web Key Set, and a token that it has signed.

`identity.py FOLDER`, run by the interpreter that has PyJWT; the private key is never written.
"""

import json
import sys
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER, AUDIENCE = "https://issuer.bench.example", "bench"


def main() -> None:
    folder = Path(sys.argv[1])
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    (folder / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "bench", "alg": "RS256", "use": "sig"}]}))
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bench", "exp": int(time.time()) + 365 * 86_400}
    (folder / "token").write_text(jwt.encode(claims, key, algorithm="RS256", headers={"kid": "bench"}))


if __name__ == "__main__":
    main()
