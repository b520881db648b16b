"use strict";

// A form with `data-passkey` (`get` or `create`) and `data-options` asks the browser for a passkey before it is sent,
// and sends the response in its field `passkey`.
const REFUSED = "No passkey was used. Try again, or choose another way.";
const UNSUPPORTED = "This browser does not support passkeys. Choose another way.";

async function respond(kind, options) {
  if (kind === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return navigator.credentials.get({ publicKey });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const status = form.querySelector("[role=status]");
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    status.textContent = UNSUPPORTED;
    form.querySelector("button").disabled = true;
    continue;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    status.textContent = "";
    try {
      const credential = await respond(form.dataset.passkey, JSON.parse(form.dataset.options));
      form.elements.passkey.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch {
      status.textContent = REFUSED;
    }
  });
}
