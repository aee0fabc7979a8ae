// A plugin of the opencode server: ways to log in to the provider PROVIDER that need no browser and no network.
const page = (fields) => ({ url: "http://127.0.0.1:9/", instructions: "Look around.", ...fields });
const success = { type: "success", key: "none" };

export const Login = async () => ({
  auth: {
    provider: "PROVIDER",
    methods: [
      {
        type: "oauth",
        label: "With a code",
        prompts: [{ type: "text", key: "plan", message: "Your plan", placeholder: "small" }],
        authorize: async ({ plan } = {}) => page({
          url: `http://127.0.0.1:9/?plan=${plan}`,
          method: "code",
          callback: async (code) => code === "a-code" ? success : { type: "failed" },
        }),
      },
      { type: "oauth", label: "With a device", authorize: async () => page({ method: "auto", callback: async () => success }) },
      { type: "api", label: "With a key" },
    ],
  },
});
