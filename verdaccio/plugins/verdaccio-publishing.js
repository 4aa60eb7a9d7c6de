"use strict";

/**
 * Publishing in two steps, so that a tarball passes through as a stream: in npm's own publish document, it would cost
 * Verdaccio five times its size in memory. Verdaccio's own way to send a tarball alone can't be reached (6.10 compares
 * the content type without its parameters to one with), and its way to add a version alone is for debugging only.
 *
 *   PUT /-/publishing/:package/tarball/:filename   the bytes; 409 where the file is there
 *   PUT /-/publishing/:package/version/:version    {"manifest": {...}, "tags": {"latest": "1.0.0"}}; 409 where it is there
 *
 * The project has to be there. Both need the right to publish it, as Verdaccio's own way does.
 *
 * And reading in the speed of the reader, which Verdaccio's log prevents.
 */
module.exports = () => ({
  register_middlewares(app, auth, storage) {
    // Verdaccio's log counts what is sent, and swallows the word that there is enough for now: a tarball that is read
    // slowly would be held whole.
    app.use((request, response, next) => {
      const { write } = response;
      response.write = (...chunk) => {
        write.apply(response, chunk);
        return !response.writableNeedDrain;
      };
      next();
    });

    const mayPublish = (request, response, next) =>
      auth.allow_publish({ packageName: request.params.package }, request.remote_user, (error) => next(error));

    app.put("/-/publishing/:package/tarball/:filename", mayPublish, (request, response, next) => {
      const stream = storage.addTarball(request.params.package, request.params.filename);
      let whole = false;
      stream.on("success", () => response.status(201).json({ ok: true }));
      stream.on("error", next);
      request.on("end", () => {
        whole = true;
        stream.done();
      });
      request.on("close", () => whole || stream.abort());
      request.pipe(stream);
    });

    app.put("/-/publishing/:package/version/:version", mayPublish, (request, response, next) => {
      const { manifest, tags } = request.body;
      const done = (error) => (error ? next(error) : response.status(201).json({ ok: true }));
      storage.addVersion(request.params.package, request.params.version, manifest, null, (error) =>
        error ? next(error) : storage.mergeTags(request.params.package, tags, done),
      );
    });
  },
});
