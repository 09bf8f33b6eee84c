namespace SnapshotApi.Tests.Cli;

/// <summary>Documents as the service sends them.</summary>
internal static class Samples
{
    public const string ServerId = "6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11";

    public const string JobId = "0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e";

    public const string ImageId = "0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c";

    public static string Page(params string[] items) => $$"""{"items":[{{string.Join(',', items)}}],"next":null}""";

    public static string Server(string name = "web-1", string node = "kvm1", string powerState = "running", string id = ServerId) => $$$"""
        {"id":"{{{id}}}","name":"{{{name}}}","node":"{{{node}}}","powerState":"{{{powerState}}}","isPersistent":true,"type":"kvm",
         "architecture":"x86_64","osType":"hvm","agent":{"isDefined":true,"isConnected":true},"activeJob":null,
         "disks":[{"target":"vda","device":"disk","sourceType":"file","format":"qcow2","layers":3,"isReadOnly":false,"isShareable":false,
                   "isTransient":false,"isEncrypted":false,"bootOrder":1},
                  {"target":"sda","device":"cdrom","sourceType":"file","format":"raw","layers":1,"isReadOnly":true,"isShareable":false,
                   "isTransient":false,"isEncrypted":false,"bootOrder":null}],
         "seenAt":"2026-03-01T10:00:00Z","links":{"self":"/servers/{{{id}}}","snapshots":"/servers/{{{id}}}/snapshots"} }
        """;

    public static string Job(
        string status = "running", string step = "uploading", int percent = 40, string name = "snap1", string more = "", bool image = false) => $$"""
        {"id":"{{JobId}}","server":{"id":"{{ServerId}}","name":"web-1"},"node":"kvm1","name":"{{name}}","mode":"auto",
         "capture":{"kind":"backup","reason":"the node can"},"status":"{{status}}","step":"{{step}}","taskState":"image_uploading",
         "progress":{"percent":{{percent}},"bytesDone":{{percent * 10_485_760L}},"bytesTotal":1048576000,"bytesPerSecond":104857600,"secondsLeft":6},
         "disks":[{"target":"vda","sizeBytes":2147483648,"allocatedBytes":1048576000,"bytesDone":{{percent * 10_485_760L}},
           "image":{{(image ? JobImage : "null")}}}],
         "consistency":"crash","guestDowntimeMs":0,"downtime":null,"freezeMs":null,"attempts":1,"warnings":[],"error":null{{more}},
         "createdAt":"2026-03-01T10:00:00Z","startedAt":"2026-03-01T10:00:01Z","finishedAt":null,
         "links":{"self":"/jobs/{{JobId}}","events":"/jobs/{{JobId}}/events","server":"/servers/{{ServerId}}","cancel":null,"images":[]} }
        """;

    public static string Image(long size, string digest, string name = "snap1", string algorithm = "sha256") => $$$"""
        {"id":"{{{ImageId}}}","name":"{{{name}}}","store":"directory","location":"{{{ImageId}}}.qcow2","format":"qcow2","sizeBytes":{{{size}}},
         "virtualSizeBytes":2147483648,"digest":{"algorithm":"{{{algorithm}}}","value":"{{{digest}}}"},
         "server":{"id":"{{{ServerId}}}","name":"web-1"},"node":"kvm1","target":"vda","jobId":"{{{JobId}}}",
         "properties":{"purpose":"test","consistency":"crash"},"createdAt":"2026-03-01T10:01:00Z",
         "links":{"self":"/images/{{{ImageId}}}","file":"/images/{{{ImageId}}}/file","job":"/jobs/{{{JobId}}}"}}
        """;

    private const string JobImage = $$$"""
        {"id":"{{{ImageId}}}","store":"directory","location":"{{{ImageId}}}.qcow2","format":"qcow2","sizeBytes":1048576,"digest":{"algorithm":"sha256","value":"ab12"}}
        """;
}
