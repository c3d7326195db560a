// A reload endpoint for model-sync's `http` notifications, as a minimal API of ASP.NET Core 8:
//
//     model_sync:
//       activation:
//         reload:
//           - type: http
//             url: http://127.0.0.1:8000/reload
//             secret_env: RELOAD_SECRET
//
// Start it with the same RELOAD_SECRET. It loads the active release, verifies the signature of each notification, and
// answers 200 only after it has loaded the release. Any other answer makes model-sync roll back.
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

var modelsDir = Environment.GetEnvironmentVariable("MODEL_SYNC_MODELS_DIR") ?? "models";
var secret = Environment.GetEnvironmentVariable("RELOAD_SECRET")
    ?? throw new InvalidOperationException("RELOAD_SECRET is not set");

var app = WebApplication.CreateBuilder(args).Build();
// Replaced as a whole, so a request uses the models of one release. Null until the first release is active.
var loaded = ActiveRelease(modelsDir) is null ? null : Load(modelsDir, null);
var reloading = new SemaphoreSlim(1);

app.MapGet("/version", () => new { release = loaded?.Release ?? "" });

app.MapPost("/reload", async (HttpRequest request) =>
{
    var body = await ReadBodyAsync(request);
    if (body is null) return Results.StatusCode(StatusCodes.Status413PayloadTooLarge);
    if (!IsSigned(request.Headers, body, secret)) return Results.Unauthorized();
    await reloading.WaitAsync();
    try
    {
        loaded = Load(modelsDir, loaded);
    }
    catch (Exception error) when (error is IOException or InvalidOperationException)
    {
        return Results.Problem($"cannot load the models: {error.Message}");
    }
    finally
    {
        reloading.Release();
    }
    using var notification = JsonDocument.Parse(body);
    var wanted = notification.RootElement.GetProperty("digest").GetString()?.Replace("sha256:", "");
    return loaded.Release == wanted ? Results.Ok(new { release = loaded.Release }) : Results.Conflict();
});

app.Run("http://127.0.0.1:8000");

// model-sync sends at most 20 kB.
static async Task<byte[]?> ReadBodyAsync(HttpRequest request)
{
    const int bodyBytesMax = 65_536;
    var buffer = new byte[bodyBytesMax + 1];
    var length = await request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false);
    return length > bodyBytesMax ? null : buffer[..length];
}

// Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over "id.timestamp.body".
static bool IsSigned(IHeaderDictionary headers, byte[] body, string secret)
{
    // Enough for clocks that differ, too short to replay an old notification.
    var tolerance = TimeSpan.FromMinutes(5);
    string id = headers["webhook-id"].ToString(), timestamp = headers["webhook-timestamp"].ToString();
    if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)) return false;
    if (Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - seconds) > tolerance.TotalSeconds) return false;
    var key = secret.StartsWith("whsec_", StringComparison.Ordinal)
        ? Convert.FromBase64String(secret["whsec_".Length..])
        : Encoding.UTF8.GetBytes(secret);
    byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body];
    var expected = Encoding.UTF8.GetBytes($"v1,{Convert.ToBase64String(HMACSHA256.HashData(key, signed))}");
    return headers["webhook-signature"].ToString().Split(' ')
        .Any(signature => CryptographicOperations.FixedTimeEquals(expected, Encoding.UTF8.GetBytes(signature)));
}

// The folder of the active release, whose files never change. Null before the first pull.
static FileSystemInfo? ActiveRelease(string modelsDir)
{
    var project = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(modelsDir)))!;
    var current = Path.Combine(project, ".model-sync", "current");
    return Directory.Exists(current) ? Directory.ResolveLinkTarget(current, returnFinalTarget: true) : null;
}

// The link is resolved once, so all models are of one release.
static Loaded Load(string modelsDir, Loaded? before)
{
    var folder = ActiveRelease(modelsDir) ?? throw new InvalidOperationException("no release is active");
    if (folder.Name == before?.Release) return before;
    // Replace ReadAllBytes with your own loader, for example `new InferenceSession(path)`. Throw if a model does not load.
    var models = Directory.EnumerateFiles(folder.FullName, "*", SearchOption.AllDirectories)
        .ToDictionary(path => Path.GetRelativePath(folder.FullName, path), File.ReadAllBytes);
    return new Loaded(folder.Name, models);
}

record Loaded(string Release, IReadOnlyDictionary<string, byte[]> Models);
