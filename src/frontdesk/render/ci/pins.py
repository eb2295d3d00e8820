"""Whose code runs in a pipeline, each fixed: actions by the commit of a release, images by version."""

ACTIONS = {  # the commit that the release's tag points to
    "actions/checkout": ("de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6.0.2"),
    "actions/setup-python": ("a309ff8b426b58ec0e2a45f0f869d46889d02405", "v6.2.0"),
    "actions/upload-artifact": ("b7c566a772e6b6bfb58ed0dc250532a479d7789f", "v6.0.0"),
    "actions/download-artifact": ("37930b1c2abaa49bbe596cd826c3c89aef350131", "v7.0.0"),
    "docker/setup-qemu-action": ("c7c53464625b32c7a7e944ae62b3e17d2b600130", "v3.7.0"),
    "aquasecurity/trivy-action": ("ed142fd0673e97e23eac54620cfb913e5ce36c25", "v0.36.0"),
    "sigstore/cosign-installer": ("faadad0cce49287aee09b3a48701e75088a2c6ad", "v4.0.0"),
}
RUNNER = "ubuntu-24.04"
BUILDKIT = "moby/buildkit:v0.25.2"
EMULATORS = "tonistiigi/binfmt:qemu-v10.0.4"
TRIVY = "aquasec/trivy:0.67.2"
ALPINE = "alpine:3.22"


def action(name: str) -> str:
    """An action at its commit."""
    return f"{name}@{ACTIONS[name][0]}"


def with_versions(text: str) -> str:
    """Each commit followed by its version, as people and bots that renew them read it."""
    for commit, version in ACTIONS.values():
        text = text.replace(f"@{commit}\n", f"@{commit} # {version}\n")
    return text
