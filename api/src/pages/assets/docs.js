// Starts Swagger UI. The page's Content-Security-Policy allows no scripts inside the page itself.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Otherwise it sends the description to a server of its makers.
  validatorUrl: null,
});
